using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Tests.Support;

/// <summary>
/// Random workflows of every kind, that mean something: names are read where they may be bound, breaks stand in loops,
/// loops end.
/// </summary>
/// <param name="random">Where all choices come from.</param>
/// <param name="ties">Whether times are so round that many are equal; else hardly any two are.</param>
internal sealed class RandomGraph(Random random, bool ties = false)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string[] Names = ["a", "b", "c", "d"];

    /// <summary>A definition's text, which has no more escapes than it must: results that come of it have none either.</summary>
    public static string TextOf(JsonNode definition) => definition.ToJsonString(Plain);

    public JsonObject Make() => new() { ["do"] = Nodes(new(4)) };

    private JsonArray Nodes(Place place)
    {
        var list = new JsonArray();
        for (var count = random.Next(1, 4); count > 0; count--)
            list.Add((JsonNode)Node(place));
        return list;
    }

    private JsonObject Node(Place place)
    {
        var node = Kind(place);
        if (Chance(3) && !node.ContainsKey("break"))
            node["as"] = Name();
        if (node.ContainsKey("http") || Chance(5))
            node["retry"] = new JsonObject { ["attempts"] = random.Next(1, 4), ["backoff"] = Time(2000), ["jitter"] = false };
        if (!place.InItem && Chance(6) || node.ContainsKey("waitForSignal") && Chance(2))
            node["timeout"] = Time(3000);
        if (!place.Compensating && Chance(8) && !node.ContainsKey("return") && !node.ContainsKey("break") && !node.ContainsKey("fail"))
            node["compensate"] = Nodes(place with { Depth = Math.Min(place.Depth - 1, 1), InLoop = false, MayReturn = false, Compensating = true });
        return node;
    }

    private JsonObject Kind(Place place)
    {
        var inner = place with { Depth = place.Depth - 1 };
        switch (random.Next(place.Depth > 0 ? 26 : 12))
        {
            case 0 or 1 or 2:
                return new() { ["sql"] = "select {{ a? }}" };
            case 3:
                return new() { ["http"] = "https://example.com/" };
            case 4:
                return Chance(2) ? new() { ["call"] = "handler", ["with"] = Read() } : Run();
            case 5 or 6:
                return new() { ["set"] = new JsonObject { [Name()] = Value(), ["d"] = Read() } };
            case 7 when !place.InItem:
                return Chance(4) ? new() { ["waitForSchedule"] = Chance(2) ? "* * * * *" : "*/3 * * * *" } : new() { ["sleep"] = Time(1500) };
            case 7:
                return new() { ["sleep"] = "{{ i? }}" };
            case 8:
                return new() { ["waitForSignal"] = Chance(2) ? "s1" : "s2" };
            case 9 when place.InLoop:
                return new() { ["break"] = Read() };
            case 10 when place.MayReturn && Chance(4):
                return new() { ["return"] = Read() };
            case 11 when Chance(3):
                return new() { ["fail"] = "because" };
            case 12 or 13:
                var node = new JsonObject { ["if"] = Condition(2), ["then"] = Nodes(inner) };
                if (Chance(2))
                    node["else"] = Nodes(inner);
                return node;
            case 14 or 15 or 16:
                return new() { ["join"] = Branches(inner) };
            case 17 or 18:
                return new() { ["race"] = Branches(inner) };
            case 19 or 20:
                var loop = new JsonObject { ["loop"] = Nodes(inner with { InLoop = true }), ["max"] = random.Next(1, 4) };
                if (Chance(2))
                    loop["while"] = Condition(1);
                return loop;
            case 21:
                var forEach = new JsonObject { ["forEach"] = Times(random.Next(0, 4)), ["do"] = Nodes(inner with { InItem = true, IsAlone = false }), ["item"] = "i", ["concurrency"] = random.Next(1, 4) };
                return Chance(4) && !place.Compensating ? Spread(forEach, inner) : forEach;
            case 22 or 23:
                return Try(inner);
            case 24 when place.IsAlone && !ties:
                return Long(new() { ["loop"] = new JsonArray(LongTurn()), ["while"] = Condition(1), ["max"] = random.Next(1, 150) });
            case 25 when place.IsAlone && !ties:
                return Long(new() { ["forEach"] = Times(random.Next(1, 150)), ["do"] = new JsonArray(LongTurn()), ["item"] = "i", ["concurrency"] = random.Next(1, 4) });
            default:
                return new() { ["sql"] = "select 1" };
        }
    }

    private JsonObject Run()
    {
        var node = new JsonObject { ["run"] = "child", ["input"] = Read() };
        if (Chance(3))
            node["wait"] = false;
        return node;
    }

    // How its items end is the children's affair; nothing inside can lead out.
    private JsonObject Spread(JsonObject forEach, Place inner)
    {
        forEach["do"] = Nodes(inner with { InItem = true, InLoop = false, MayReturn = false });
        forEach["spread"] = true;
        return forEach;
    }

    private JsonObject Try(Place inner)
    {
        var node = new JsonObject { ["try"] = Nodes(inner) };
        var always = Chance(2);
        if (!always || Chance(2))
            node["catch"] = Nodes(inner);
        if (always)
            node["finally"] = Nodes(inner with { InLoop = false, MayReturn = false });
        return node;
    }

    private JsonArray Branches(Place inner)
    {
        var branches = new JsonArray();
        for (var count = random.Next(1, 4); count > 0; count--)
            branches.Add((JsonNode)Nodes(inner with { IsAlone = false }));
        return branches;
    }

    private JsonArray Times(int count)
    {
        var items = new JsonArray();
        for (; count > 0; count--)
            items.Add((JsonNode)Time(1500));
        return items;
    }

    // More than a decision takes at once. What runs beside it, falls due at the same time or follows in the same decision
    // could then be overtaken by what else is in it; so nothing does, and a sleep ends the decision.
    private JsonObject Long(JsonObject node) => new()
    {
        ["if"] = new JsonObject { ["equals"] = new JsonArray(1, 1) },
        ["then"] = new JsonArray(node, new JsonObject { ["sleep"] = Time(1000) }),
    };

    private JsonObject LongTurn() => new() { ["set"] = new JsonObject { [Name()] = Value(), ["d"] = Read() } };

    private JsonNode Condition(int depth) => random.Next(depth > 0 ? 13 : 9) switch
    {
        0 or 1 => new JsonObject { ["sql"] = "select 1" },
        2 or 3 => Read(),
        4 => new JsonObject { ["equals"] = new JsonArray(Value(), Value()) },
        5 => new JsonObject { ["notEquals"] = new JsonArray(Read(), Number()) },
        6 => new JsonObject { [Chance(2) ? "greaterThan" : "lessThan"] = new JsonArray(Chance(4) ? (JsonNode)Read() : Number(), Number()) },
        7 => new JsonObject { ["contains"] = new JsonArray(Chance(2) ? Value() : new JsonArray(Number(), Read()), Chance(2) ? Number() : (JsonNode)(Chance(2) ? "n" : Read())) },
        8 => Chance(2) ? new JsonObject { ["rows"] = Name() } : new JsonObject { ["equals"] = new JsonArray(Read(), random.Next(2)) },
        9 or 10 => new JsonObject { ["not"] = Condition(depth - 1) },
        11 => new JsonObject { ["all"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
        _ => new JsonObject { ["any"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
    };

    private string Read() => random.Next(12) switch
    {
        0 => "{{ error.kind? }}",
        1 => $"{{{{ {Name()}.n? }}}}",
        2 => $"{{{{ {Name()}.{(Chance(2) ? "rows" : "row_count")}? }}}}",
        3 => $"{{{{ {Name()}.body.n? }}}}",
        _ => $"{{{{ {Name()}? }}}}",
    };

    // Some look like what a statement or a request would have made.
    private JsonNode Value() => random.Next(9) switch
    {
        0 => new JsonObject { ["rows"] = Chance(2) ? new JsonArray("a") : new JsonArray(new JsonObject { ["n"] = Number() }), ["row_count"] = 1 },
        1 => new JsonObject { ["body"] = """{"n":1}""", ["encoding"] = "text" },
        2 => new JsonObject { ["n"] = Number(), ["k"] = Read() },
        3 => new JsonArray(Number(), Read()),
        4 or 5 => Number(),
        _ => Read(),
    };

    private JsonNode Number() => JsonNode.Parse(RandomNumbers.Any(random))!;

    private string Name() => Names[random.Next(3)];

    private string Time(int most) => ties ? $"{random.Next(1, (most / 100) + 1) * 100}ms" : $"{((decimal)random.Next(1, most * 1000) / 1000).ToString(CultureInfo.InvariantCulture)}ms";

    private bool Chance(int of) => random.Next(of) == 0;

    private readonly record struct Place(int Depth, bool InLoop = false, bool InItem = false, bool MayReturn = true, bool Compensating = false, bool IsAlone = true);
}
