using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads one node: exactly one kind key, what belongs to that kind, and the common keys.</summary>
internal sealed class NodeReader
{
    private static readonly ImmutableArray<string> CommonKeys = ["as", "id", "retry", "timeout"];

    private readonly WorkflowReader reader;
    private readonly ConditionReader conditions;
    private readonly Dictionary<string, Func<ObjectReader, JsonElement, int, Node?>> kinds;

    public NodeReader(WorkflowReader reader)
    {
        this.reader = reader;
        conditions = new(reader);
        kinds = new(StringComparer.Ordinal)
        {
            ["sql"] = (node, value, _) => SqlNodeReader.Read(value, node.At("sql"), node.Pointer, reader.Faults),
            ["http"] = (node, value, _) => HttpNodeReader.Read(value, node.At("http"), node.Pointer, reader.Faults),
            ["sleep"] = (node, value, _) => Sleep(node, value),
            ["set"] = (node, value, _) => Set(node, value),
            ["if"] = If,
            ["return"] = (node, value, _) => Return(node, value),
            ["fail"] = (node, value, _) => Fail(node, value),
        };
    }

    private FaultList Faults => reader.Faults;

    public Node? Read(JsonElement value, string pointer, int level)
    {
        if (ObjectReader.Of(value, pointer, Faults) is not { } node)
            return null;

        var present = kinds.Keys.Where(node.Has).ToList();
        if (present.Count != 1)
        {
            ComplainOfKinds(value, pointer, present);
            return null;
        }

        var read = kinds[present[0]](node, node.Any(present[0])!.Value, level);
        var id = Id(node);
        var bound = As(node);
        var retry = RetryReader.Read(node);
        var timeout = Timeout(node, read);
        node.Finish();
        return read is null ? null : read with { Id = id, As = bound, Retry = retry, Timeout = timeout };
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

    private SleepNode? Sleep(ObjectReader node, JsonElement value)
    {
        if (TextAt(node, value, "sleep", Duration.Expected) is not { } text)
            return null;
        if (text.IsConstant && !Duration.TryParse(text.Source, out _))
            Faults.Add(node.At("sleep"), $"\"{ObjectReader.Cut(text.Source)}\" is not {Duration.Expected}.");
        return new(text) { Path = node.Pointer };
    }

    private SetNode? Set(ObjectReader node, JsonElement value)
    {
        var at = node.At("set");
        if (ObjectReader.Of(value, at, Faults) is null)
            return null;
        foreach (var member in value.EnumerateObject())
            CheckName(member.Name, JsonPointer.Append(at, member.Name));
        return new(TemplateParser.Members(value, at, Faults)) { Path = node.Pointer };
    }

    private IfNode? If(ObjectReader node, JsonElement value, int level)
    {
        var condition = conditions.Read(value, node.At("if"), level + 1);
        var then = node.Required("then") is { } yes ? reader.Nodes(yes, node.At("then"), level + 1) : [];
        var otherwise = node.Any("else") is { } no ? reader.Nodes(no, node.At("else"), level + 1) : [];
        return condition is null ? null : new(condition, then, otherwise) { Path = node.Pointer };
    }

    private ReturnNode? Return(ObjectReader node, JsonElement value) =>
        TemplateParser.Value(value, node.At("return"), Faults) is { } result ? new(result) { Path = node.Pointer } : null;

    private FailNode? Fail(ObjectReader node, JsonElement value) =>
        TextAt(node, value, "fail", "a message") is { } message ? new(message) { Path = node.Pointer } : null;

    private TextTemplate? TextAt(ObjectReader node, JsonElement value, string key, string expected)
    {
        if (value.ValueKind is JsonValueKind.String)
            return TemplateParser.Text(value.GetString()!, node.At(key), Faults);
        Faults.Add(node.At(key), $"Expected {expected}, found {ObjectReader.Name(value)}.");
        return null;
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
            CheckName(name, node.At("as"));
        return name;
    }

    private void CheckName(string name, string pointer)
    {
        if (TemplateParser.Reserved.Contains(name))
            Faults.Add(pointer, $"\"{name}\" is reserved: templates read something else by it ({string.Join(", ", TemplateParser.Reserved)}).");
        else if (!WorkflowReader.IsResultName(name))
            Faults.Add(pointer, "A result's name has 1 to 64 letters, digits, \"_\" and \"-\", and begins with a letter or \"_\".");
    }

    // A statement may carry its own time limit; the shorter of the two counts.
    private static TimeSpan? Timeout(ObjectReader node, Node? read)
    {
        var timeout = RetryReader.Duration(node, "timeout", mayBeZero: false);
        return (timeout, read?.Timeout) is ({ } outer, { } inner) && inner < outer ? inner : timeout ?? read?.Timeout;
    }
}
