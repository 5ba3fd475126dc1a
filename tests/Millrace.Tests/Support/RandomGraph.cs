using System.Globalization;
using System.Text.Json.Nodes;

namespace Millrace.Tests.Support;

/// <summary>
/// Random workflows of every kind, that mean something: names are read where they may be bound, breaks stand in loops,
/// loops end. Times differ from each other, so that what comes first does not hang on how equal times are ordered.
/// </summary>
internal sealed class RandomGraph(Random random)
{
    private static readonly string[] Names = ["a", "b", "c", "d"];

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
        switch (random.Next(place.Depth > 0 ? 24 : 12))
        {
            case 0 or 1 or 2:
                return new() { ["sql"] = "select {{ a? }}" };
            case 3:
                return new() { ["http"] = "https://example.com/" };
            case 4:
                return Chance(2) ? new() { ["call"] = "handler", ["with"] = Read() } : new() { ["run"] = "child", ["input"] = Read() };
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
                var items = new JsonArray();
                for (var count = random.Next(0, 4); count > 0; count--)
                    items.Add((JsonNode)Time(1500));
                return new() { ["forEach"] = items, ["do"] = Nodes(inner with { InItem = true }), ["item"] = "i", ["concurrency"] = random.Next(1, 4) };
            case 22 or 23:
                return Try(inner);
            default:
                return new() { ["sql"] = "select 1" };
        }
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
            branches.Add((JsonNode)Nodes(inner));
        return branches;
    }

    private JsonNode Condition(int depth) => random.Next(depth > 0 ? 6 : 3) switch
    {
        0 => new JsonObject { ["sql"] = "select 1" },
        1 => Read(),
        2 => new JsonObject { ["equals"] = new JsonArray(Read(), random.Next(2)) },
        3 => new JsonObject { ["not"] = Condition(depth - 1) },
        4 => new JsonObject { ["all"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
        _ => new JsonObject { ["any"] = new JsonArray(Condition(depth - 1), Condition(depth - 1)) },
    };

    private string Read() => Chance(8) ? "{{ error.kind? }}" : $"{{{{ {Name()}? }}}}";

    private JsonNode Value() => Chance(2) ? Read() : random.Next(3);

    private string Name() => Names[random.Next(3)];

    private string Time(int most) => $"{((decimal)random.Next(1, most * 1000) / 1000).ToString(CultureInfo.InvariantCulture)}ms";

    private bool Chance(int of) => random.Next(of) == 0;

    private readonly record struct Place(int Depth, bool InLoop = false, bool InItem = false, bool MayReturn = true, bool Compensating = false);
}
