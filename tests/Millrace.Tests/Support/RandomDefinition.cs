using System.Text.Json.Nodes;

namespace Millrace.Tests.Support;

/// <summary>Random definitions. Right ones as they come; with faults, each has a chance to be wrong in its structure.</summary>
internal sealed class RandomDefinition(Random random, double faults = 0)
{
    private static readonly string[] Keys = ["sql", "http", "sleep", "set", "if", "then", "else", "return", "fail", "as", "id", "retry", "timeout", "x", "query", "do"];
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
        var node = random.Next(depth > 0 ? 9 : 7) switch
        {
            0 => new JsonObject { ["sql"] = Sql() },
            1 => new JsonObject { ["http"] = Http() },
            2 => new JsonObject { ["sleep"] = Duration() },
            3 => new JsonObject { ["set"] = new JsonObject { [Name()] = Value(), ["b"] = "{{ input.a? }}" } },
            4 => new JsonObject { ["sql"] = "select {{ input.a? }}" },
            5 when random.Next(6) == 0 => new JsonObject { ["return"] = Value() },
            6 when random.Next(6) == 0 => new JsonObject { ["fail"] = "because {{ input.a? }}" },
            7 or 8 => If(depth),
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
        return Spoil(node);
    }

    private JsonObject If(int depth)
    {
        var node = new JsonObject { ["if"] = Condition(2), ["then"] = Nodes(depth - 1) };
        if (random.Next(2) == 0)
            node["else"] = Nodes(depth - 1);
        return node;
    }

    private JsonNode Condition(int depth) => Wrong() ? Junk() : random.Next(depth > 0 ? 8 : 5) switch
    {
        0 => new JsonObject { ["sql"] = Sql() },
        1 => "{{ input.a? }}",
        2 => new JsonObject { ["equals"] = Pair() },
        3 => new JsonObject { ["notEquals"] = Pair() },
        4 => new JsonObject { ["contains"] = new JsonArray("abc", "b") },
        5 => new JsonObject { ["not"] = Condition(depth - 1) },
        6 => new JsonObject { ["all"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
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

    private JsonNode Value() => random.Next(3) switch { 0 => 1, 1 => new JsonArray(1, "{{ input.a? }}"), _ => new JsonObject { ["k"] = "v {{ input.a? }}" } };

    private JsonNode Junk() => random.Next(5) switch { 0 => 7, 1 => "junk", 2 => new JsonArray(), 3 => new JsonObject(), _ => new JsonArray(true) };

    private bool Wrong() => random.NextDouble() < faults;

    private JsonObject Spoil(JsonObject node)
    {
        if (Wrong())
            node[Keys[random.Next(Keys.Length)]] = Junk();
        if (Wrong() && node.Count > 0)
            node.Remove(node.ElementAt(random.Next(node.Count)).Key);
        return node;
    }
}
