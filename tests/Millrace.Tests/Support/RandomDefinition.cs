using System.Text.Json.Nodes;

namespace Millrace.Tests.Support;

/// <summary>Random definitions. Right ones as they come; with faults, each has a chance to be wrong in its structure.</summary>
internal sealed class RandomDefinition(Random random, double faults = 0)
{
    private static readonly string[] Keys = ["sql", "http", "sleep", "set", "if", "then", "else", "return", "fail", "as", "id", "retry", "timeout", "x", "query", "do",
        "waitForSchedule", "timeZone", "waitForSignal", "join", "race", "loop", "while", "max", "forEach", "item", "concurrency", "spread", "try", "catch",
        "finally", "run", "input", "wait", "call", "with", "multipart"];
    private int ids;

    public JsonObject Make()
    {
        var root = new JsonObject { ["do"] = Nodes(3) };
        if (random.Next(2) == 0)
            root["name"] = Wrong() ? "not a name" : "name";
        return Spoil(root);
    }

    private JsonNode Nodes(int depth)
    {
        if (Wrong())
            return Junk();
        var list = new JsonArray();
        for (var count = random.Next(1, 4); count > 0; count--)
            list.Add(Node(depth));
        return list;
    }

    private JsonNode Node(int depth)
    {
        var node = random.Next(depth > 0 ? 18 : 12) switch
        {
            0 => new JsonObject { ["sql"] = Sql() },
            1 => new JsonObject { ["http"] = Http() },
            2 => new JsonObject { ["sleep"] = Duration() },
            3 => new JsonObject { ["set"] = new JsonObject { [Name()] = Value(), ["b"] = "{{ input.a? }}" } },
            4 => new JsonObject { ["sql"] = "select {{ input.a? }}" },
            5 when random.Next(6) == 0 => new JsonObject { ["return"] = Value() },
            6 when random.Next(6) == 0 => new JsonObject { ["fail"] = "because {{ input.a? }}" },
            7 => Schedule(),
            8 => new JsonObject { ["waitForSignal"] = Wrong() ? " " : "paid-{{ input.a? }}" },
            9 => Call("run", "input"),
            10 => Call("call", "with"),
            11 => Multipart(),
            12 or 13 => If(depth),
            14 => new JsonObject { [random.Next(2) == 0 ? "join" : "race"] = Branches(depth) },
            15 => Loop(depth),
            16 => ForEach(depth),
            17 => Try(depth),
            _ => new JsonObject { ["set"] = new JsonObject { ["c"] = 1 } },
        };
        if (random.Next(3) == 0)
            node["as"] = Name();
        if (random.Next(6) == 0)
            node["id"] = Wrong() ? "no id!" : $"id{ids++}";
        if (random.Next(4) == 0)
            node["retry"] = Retry();
        if (random.Next(6) == 0)
            node["timeout"] = random.Next(2) == 0 ? "10s" : "1m";
        if (depth > 0 && random.Next(10) == 0)
            node["compensate"] = new JsonArray(new JsonObject { ["sql"] = Sql() });
        return Spoil(node);
    }

    private JsonObject Schedule()
    {
        var node = new JsonObject { ["waitForSchedule"] = Wrong() ? "* * * *" : "30 3 * * 1-5" };
        if (random.Next(2) == 0)
            node["timeZone"] = Wrong() ? 7 : "Europe/Berlin";
        return node;
    }

    private JsonObject Call(string kind, string argument)
    {
        var node = new JsonObject { [kind] = Wrong() ? "not a name" : "some-name" };
        if (random.Next(2) == 0)
            node[argument] = Value();
        if (kind == "run" && random.Next(3) == 0)
            node["wait"] = Wrong() ? "no" : false;
        return node;
    }

    private JsonObject Multipart()
    {
        var part = new JsonObject { ["name"] = "file", ["content"] = Value() };
        if (random.Next(2) == 0)
            part["filename"] = Wrong() ? 7 : "{{ input.a? }}.csv";
        if (random.Next(2) == 0)
            part["contentType"] = Wrong() ? "csv" : "text/csv";
        if (random.Next(3) == 0)
            part["encoding"] = Wrong() ? "hex" : "text";
        var http = new JsonObject { ["url"] = "https://example.com/", ["multipart"] = Wrong() ? Junk() : new JsonArray((JsonNode)Spoil(part)) };
        if (Wrong())
            http["body"] = Value();
        return new JsonObject { ["http"] = http };
    }

    private JsonNode Branches(int depth) => Wrong() ? Junk() : new JsonArray(Nodes(depth - 1), Nodes(depth - 1));

    private JsonObject Loop(int depth)
    {
        var node = new JsonObject { ["loop"] = Nodes(depth - 1) };
        if (random.Next(2) == 0)
            node["max"] = Wrong() ? 0 : random.Next(1, 5);
        if (random.Next(2) == 0)
            node["while"] = Condition(1);
        if (random.Next(3) == 0)
            (node["loop"] as JsonArray)?.Add((JsonNode)new JsonObject { ["break"] = Value() });
        return node;
    }

    private JsonObject ForEach(int depth)
    {
        var node = new JsonObject { ["forEach"] = Wrong() ? "list" : random.Next(2) == 0 ? "{{ a.rows }}" : new JsonArray(1, 2), ["do"] = Nodes(depth - 1) };
        if (random.Next(2) == 0)
            node["item"] = random.Next(3) == 0 ? "item" : Name();
        if (random.Next(2) == 0)
            node["concurrency"] = Wrong() ? 1001 : 5;
        return node;
    }

    private JsonObject Try(int depth)
    {
        var node = new JsonObject { ["try"] = Nodes(depth - 1) };
        if (!Wrong())
            node["catch"] = Nodes(depth - 1);
        if (random.Next(2) == 0)
            node["finally"] = new JsonArray(new JsonObject { ["sql"] = Sql() });
        return node;
    }

    private JsonObject If(int depth)
    {
        var node = new JsonObject { ["if"] = Condition(2), ["then"] = Nodes(depth - 1) };
        if (random.Next(2) == 0)
            node["else"] = Nodes(depth - 1);
        return node;
    }

    private JsonNode Condition(int depth) => Wrong() ? Junk() : random.Next(depth > 0 ? 11 : 8) switch
    {
        0 => new JsonObject { ["sql"] = Sql() },
        5 => new JsonObject { ["rows"] = Wrong() ? "no name!" : "a" },
        6 => new JsonObject { ["greaterThan"] = Pair() },
        7 => new JsonObject { ["lessThan"] = Pair() },
        1 => "{{ input.a? }}",
        2 => new JsonObject { ["equals"] = Pair() },
        3 => new JsonObject { ["notEquals"] = Pair() },
        4 => new JsonObject { ["contains"] = new JsonArray("abc", "b") },
        8 => new JsonObject { ["not"] = Condition(depth - 1) },
        9 => new JsonObject { ["all"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
        _ => new JsonObject { ["any"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
    };

    private JsonArray Pair() => Wrong() ? [1] : [random.Next(2), random.Next(2)];

    private JsonNode Sql() => random.Next(3) switch
    {
        0 => new JsonObject { ["query"] = "select 2", ["readOnly"] = true },
        1 => Wrong() ? " " : "select 3",
        _ => "select {{ input.a? }}",
    };

    private JsonNode Http() => random.Next(3) switch
    {
        0 => "https://example.com/",
        1 => new JsonObject { ["url"] = "https://example.com/{{ input.a? }}", ["method"] = Wrong() ? "FETCH" : "GET", ["headers"] = new JsonObject { ["X-A"] = "b" } },
        _ => new JsonObject { ["url"] = "https://example.com/", ["expect"] = new JsonObject { ["status"] = new JsonArray(Wrong() ? 99 : 200) }, ["body"] = Value() },
    };

    private JsonObject Retry() => new()
    {
        ["attempts"] = Wrong() ? 0 : random.Next(1, 4),
        ["backoff"] = Duration(),
        ["factor"] = Wrong() ? 0.5 : 2,
    };

    private string Duration() => Wrong() ? "soon" : random.Next(3) switch { 0 => "250ms", 1 => "PT2S", _ => "1.5s" };

    private string Name() => Wrong() ? "input" : ((string[])["a", "b", "c"])[random.Next(3)];

    private JsonNode Value() => random.Next(4) switch { 0 => 1, 3 => "{{ '{{' }} {{ input.a? }}", 1 => new JsonArray(1, "{{ input.a? }}"), _ => new JsonObject { ["k"] = "v {{ input.a? }}" } };

    private JsonNode Junk() => random.Next(5) switch { 0 => 7, 1 => "junk", 2 => new JsonArray(), 3 => new JsonObject(), _ => new JsonArray(true) };

    private bool Wrong() => random.NextDouble() < faults;

    private JsonObject Spoil(JsonObject node)
    {
        if (Wrong())
        {
            // Whether an id is taken and whether a time zone exists is beyond a schema: these two are wrong by their type only.
            var key = Keys[random.Next(Keys.Length)];
            node[key] = key is "id" or "timeZone" ? 7 : Junk();
        }

        if (Wrong() && node.Count > 0)
            node.Remove(node.ElementAt(random.Next(node.Count)).Key);
        return node;
    }
}
