using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads one node: exactly one kind key, what belongs to that kind, and the common keys.</summary>
internal sealed class NodeReader
{
    private static readonly ImmutableArray<string> CommonKeys = ["as", "id", "retry", "timeout", "compensate"];

    private readonly WorkflowReader reader;
    private readonly Dictionary<string, Func<ObjectReader, JsonElement, Place, Node?>> kinds;

    public NodeReader(WorkflowReader reader)
    {
        this.reader = reader;
        var leaves = new LeafReader(reader);
        var containers = new ContainerReader(reader);
        kinds = new(StringComparer.Ordinal)
        {
            ["sql"] = (node, value, _) => SqlNodeReader.Read(value, node.At("sql"), node.Pointer, reader.Faults),
            ["http"] = (node, value, _) => HttpNodeReader.Read(value, node.At("http"), node.Pointer, reader.Faults),
            ["sleep"] = (node, value, _) => leaves.Sleep(node, value),
            ["waitForSchedule"] = (node, value, _) => leaves.WaitForSchedule(node, value),
            ["waitForSignal"] = (node, value, _) => leaves.WaitForSignal(node, value),
            ["if"] = containers.If,
            ["join"] = containers.Join,
            ["race"] = containers.Race,
            ["loop"] = containers.Loop,
            ["break"] = leaves.Break,
            ["forEach"] = containers.ForEach,
            ["try"] = containers.Try,
            ["run"] = (node, value, _) => leaves.Run(node, value),
            ["call"] = (node, value, _) => leaves.Call(node, value),
            ["set"] = (node, value, _) => leaves.Set(node, value),
            ["return"] = leaves.Return,
            ["fail"] = (node, value, _) => leaves.Fail(node, value),
        };
    }

    private FaultList Faults => reader.Faults;

    public Node? Read(JsonElement value, string pointer, Place place)
    {
        if (ObjectReader.Of(value, pointer, Faults) is not { } node)
            return null;

        var present = kinds.Keys.Where(node.Has).ToList();
        if (present.Count != 1)
        {
            ComplainOfKinds(value, pointer, present);
            return null;
        }

        var read = kinds[present[0]](node, node.Any(present[0])!.Value, place);
        var id = Id(node);
        var bound = As(node);
        var retry = RetryReader.Read(node);
        var timeout = Timeout(node, read);
        var compensate = Compensate(node, place);
        node.Finish();
        return read is null ? null : read with { Id = id, As = bound, Retry = retry, Timeout = timeout, Compensate = compensate };
    }

    private void ComplainOfKinds(JsonElement value, string pointer, List<string> present)
    {
        if (present.Count > 1)
        {
            Faults.Add(pointer, $"A node has exactly one kind; this one has {string.Join(" and ", present.Select(kind => $"\"{kind}\""))}."
                + " Make them two nodes of the list.");
            return;
        }

        var unknown = value.EnumerateObject().Select(member => member.Name).Where(name => !CommonKeys.Contains(name)).ToList();
        foreach (var name in unknown)
        {
            Faults.Add(JsonPointer.Append(pointer, name),
                $"Unknown kind \"{ObjectReader.Cut(name)}\".{Suggestion.For(name, [.. kinds.Keys, .. CommonKeys])}");
        }

        if (unknown.Count == 0)
            Faults.Add(pointer, $"A node needs one kind key: {string.Join(", ", kinds.Keys)}.");
    }

    private string? Id(ObjectReader node)
    {
        var id = node.Text("id");
        if (id is null)
            return null;
        if (!WorkflowReader.IsWorkflowName(id))
            Faults.Add(node.At("id"), "An id has 1 to 128 letters, digits, \".\", \"_\" and \"-\", and begins with a letter or digit.");
        else
            reader.Claim(id, node.At("id"));
        return id;
    }

    private string? As(ObjectReader node)
    {
        var name = node.Text("as");
        if (name is not null)
            reader.CheckName(name, node.At("as"));
        return name;
    }

    private ImmutableArray<Node> Compensate(ObjectReader node, Place place)
    {
        if (node.Any("compensate") is not { } nodes)
            return [];
        var at = node.At("compensate");
        if (place.Compensating)
            Faults.Add(at, "A compensation has no compensation of its own.");
        return reader.Nodes(nodes, at, place.Behind("a \"compensate\", which runs because the instance is ending already") with { Compensating = true });
    }

    // A statement may carry its own time limit; the shorter of the two counts.
    private static TimeSpan? Timeout(ObjectReader node, Node? read)
    {
        var timeout = RetryReader.Duration(node, "timeout", mayBeZero: false);
        return (timeout, read?.Timeout) is ({ } outer, { } inner) && inner < outer ? inner : timeout ?? read?.Timeout;
    }
}
