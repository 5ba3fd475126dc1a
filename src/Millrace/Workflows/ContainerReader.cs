using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads the kinds that have sequences inside them.</summary>
internal sealed class ContainerReader(WorkflowReader reader)
{
    private const int MostAtOnce = 1000;
    private readonly ConditionReader conditions = new(reader);

    private FaultList Faults => reader.Faults;

    public IfNode? If(ObjectReader node, JsonElement value, Place place)
    {
        var condition = conditions.Read(value, node.At("if"), place.Level + 1);
        var then = Required(node, "then", place.Deeper);
        var otherwise = Optional(node, "else", place.Deeper);
        return condition is null ? null : new(condition, then, otherwise) { Path = node.Pointer };
    }

    public JoinNode? Join(ObjectReader node, JsonElement value, Place place) =>
        Branches(node, "join", value, place) is { } branches ? new(branches) { Path = node.Pointer } : null;

    public RaceNode? Race(ObjectReader node, JsonElement value, Place place) =>
        Branches(node, "race", value, place) is { } branches ? new(branches) { Path = node.Pointer } : null;

    public LoopNode Loop(ObjectReader node, JsonElement value, Place place)
    {
        var nodes = reader.Nodes(value, node.At("loop"), place.Loop);
        var condition = node.Any("while") is { } again ? conditions.Read(again, node.At("while"), place.Level + 1) : null;
        var max = node.Integer("max", 1, int.MaxValue);
        return new(nodes, condition, max) { Path = node.Pointer };
    }

    public ForEachNode? ForEach(ObjectReader node, JsonElement value, Place place)
    {
        var spread = node.Flag("spread") ?? false;
        var items = Items(node, value);
        var name = node.Text("item") ?? "item";
        if (name != "item")
            reader.CheckName(name, node.At("item"));
        var concurrency = node.Integer("concurrency", 1, MostAtOnce);
        var body = Required(node, "do", spread ? place.Behind("a \"forEach\" with \"spread\", whose items are instances of their own") : place.Deeper);
        return items is null ? null : new(items, body, name, concurrency, spread) { Path = node.Pointer };
    }

    public TryNode Try(ObjectReader node, JsonElement value, Place place)
    {
        var nodes = reader.Nodes(value, node.At("try"), place.Deeper);
        var otherwise = Optional(node, "catch", place.Deeper);
        var always = Optional(node, "finally", place.Behind("a \"finally\", which runs because something else is ending already"));
        if (!node.Has("catch") && !node.Has("finally"))
            Faults.Add(node.Pointer, "A try has a \"catch\", a \"finally\" or both.");
        return new(nodes, otherwise, always) { Path = node.Pointer };
    }

    private ValueTemplate? Items(ObjectReader node, JsonElement value)
    {
        var isTemplate = value.ValueKind is JsonValueKind.String && TemplateParser.HasTemplate(value.GetString()!);
        if (value.ValueKind is JsonValueKind.Array || isTemplate)
            return TemplateParser.Value(value, node.At("forEach"), Faults);
        Faults.Add(node.At("forEach"), $"Expected a list, or a template for one such as \"{{{{ batch.rows }}}}\", found {ObjectReader.Name(value)}.");
        return null;
    }

    private ImmutableArray<ImmutableArray<Node>>? Branches(ObjectReader node, string kind, JsonElement value, Place place)
    {
        var at = node.At(kind);
        if (value.ValueKind is not JsonValueKind.Array)
        {
            Faults.Add(at, $"Expected a list of branches, each a list of nodes, found {ObjectReader.Name(value)}.");
            return null;
        }

        var count = value.GetArrayLength();
        if (count == 0)
            Faults.Add(at, "The list is empty; there is at least one branch.");
        if (count > reader.Limits.Branches)
        {
            Faults.Add(at, $"There are {count:N0} branches; at most {reader.Limits.Branches:N0} are allowed.");
            return null;
        }

        return [.. value.EnumerateArray().Select((branch, index) => reader.Nodes(branch, JsonPointer.Append(at, index), place.Deeper))];
    }

    private ImmutableArray<Node> Required(ObjectReader node, string key, Place place) =>
        node.Required(key) is { } nodes ? reader.Nodes(nodes, node.At(key), place) : [];

    private ImmutableArray<Node> Optional(ObjectReader node, string key, Place place) =>
        node.Any(key) is { } nodes ? reader.Nodes(nodes, node.At(key), place) : [];
}
