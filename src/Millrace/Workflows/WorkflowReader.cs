using System.Collections.Immutable;
using System.Text.Json;
using System.Text.RegularExpressions;
using Millrace.Configuration;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads a definition and reports everything that is wrong with it at once.</summary>
public sealed partial class WorkflowReader
{
    private readonly LimitOptions limits;
    private readonly FaultList faults = new();
    private readonly HashSet<string> ids = new(StringComparer.Ordinal);
    private readonly NodeReader nodes;
    private int count;

    private WorkflowReader(LimitOptions limits)
    {
        this.limits = limits;
        nodes = new(this);
    }

    internal FaultList Faults => faults;

    internal LimitOptions Limits => limits;

    /// <summary>Reads a definition that has passed <see cref="JsonDoor"/>.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="limits">What is refused for its size.</param>
    /// <param name="workflow">The workflow; null where anything is wrong.</param>
    /// <param name="faults">What is wrong; empty where nothing is.</param>
    public static bool TryRead(
        JsonElement definition, LimitOptions limits, out Workflow? workflow, out IReadOnlyList<Fault> faults)
    {
        var reader = new WorkflowReader(limits);
        workflow = reader.Read(definition);
        faults = reader.faults.All;
        return workflow is not null;
    }

    private Workflow? Read(JsonElement definition)
    {
        if (definition.ValueKind is not JsonValueKind.Object)
        {
            faults.Add("", $"Expected an object, found {ObjectReader.Name(definition)}.");
            return null;
        }

        // Values of the definition are part of results: they are read from what is stored, not from what was sent, so
        // that they look the same in the process that took it in and in any other.
        var document = Json.From(definition).Minified();
        if (document.Utf8.Length > limits.DefinitionBytes)
        {
            faults.Add("", $"The definition takes {document.Utf8.Length:N0} bytes; at most {limits.DefinitionBytes:N0} are allowed.", tooLarge: true);
            return null;
        }

        var root = new ObjectReader(document.Element, "", faults);
        root.Any("$schema");
        root.Text("description");
        var name = ReadName(root);
        var body = root.Required("do") is { } list ? Nodes(list, root.At("do"), Place.Root) : [];
        root.Finish();
        if (count > limits.Nodes)
            faults.Add("/do", $"The workflow has {count:N0} nodes; at most {limits.Nodes:N0} are allowed.");
        return faults.Any ? null : new(name, body, document);
    }

    private string? ReadName(ObjectReader root)
    {
        var name = root.Text("name");
        if (name is null || IsWorkflowName(name))
            return name;
        faults.Add(root.At("name"), "A workflow's name has 1 to 128 letters, digits, \".\", \"_\" and \"-\", and begins with a letter or digit.");
        return null;
    }

    /// <summary>Reads a sequence of nodes.</summary>
    internal ImmutableArray<Node> Nodes(JsonElement list, string pointer, Place place)
    {
        if (list.ValueKind is not JsonValueKind.Array)
        {
            faults.Add(pointer, $"Expected a list of nodes, found {ObjectReader.Name(list)}.");
            return [];
        }

        if (list.GetArrayLength() == 0)
            faults.Add(pointer, "The list is empty; a sequence has at least one node.");
        if (!WithinLevels(pointer, place.Level))
            return [];

        var sequence = ImmutableArray.CreateBuilder<Node>(list.GetArrayLength());
        var index = 0;
        foreach (var item in list.EnumerateArray())
        {
            count++;
            if (nodes.Read(item, JsonPointer.Append(pointer, index++), place) is { } node)
                sequence.Add(node);
        }

        return sequence.ToImmutable();
    }

    /// <summary>Whether a level is allowed; adds a fault where it is not.</summary>
    internal bool WithinLevels(string pointer, int level)
    {
        if (level <= limits.Levels)
            return true;
        faults.Add(pointer, $"Nested deeper than {limits.Levels} levels.");
        return false;
    }

    /// <summary>Notes a node's id; adds a fault where another node has it.</summary>
    internal void Claim(string id, string pointer)
    {
        if (!ids.Add(id))
            faults.Add(pointer, $"Another node has the id \"{id}\"; ids are unique in a workflow.");
    }

    /// <summary>Adds a fault where a name cannot be bound.</summary>
    internal void CheckName(string name, string pointer)
    {
        if (TemplateParser.Reserved.Contains(name))
            faults.Add(pointer, $"\"{name}\" is reserved: templates read something else by it ({string.Join(", ", TemplateParser.Reserved)}).");
        else if (!IsResultName(name))
            faults.Add(pointer, "A result's name has 1 to 64 letters, digits, \"_\" and \"-\", and begins with a letter or \"_\".");
    }

    /// <summary>Whether a text can be the name of a result.</summary>
    public static bool IsResultName(string name) => ResultName().IsMatch(name);

    /// <summary>Whether a text can be the name of a workflow.</summary>
    public static bool IsWorkflowName(string name) => WorkflowName().IsMatch(name);

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_-]{0,63}\z")]
    private static partial Regex ResultName();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\z")]
    private static partial Regex WorkflowName();
}
