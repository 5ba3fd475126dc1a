using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads a condition: a template, or an object with exactly one of the condition keys.</summary>
internal sealed class ConditionReader(WorkflowReader reader)
{
    private static readonly Dictionary<string, Comparison> Comparisons = new(StringComparer.Ordinal)
    {
        ["equals"] = Comparison.Equals,
        ["notEquals"] = Comparison.NotEquals,
        ["greaterThan"] = Comparison.GreaterThan,
        ["lessThan"] = Comparison.LessThan,
        ["contains"] = Comparison.Contains,
    };

    private static readonly ImmutableArray<string> Keys = ["sql", "rows", .. Comparisons.Keys, "all", "any", "not"];

    public Condition? Read(JsonElement value, string pointer, int level)
    {
        if (!reader.WithinLevels(pointer, level))
            return null;
        if (value.ValueKind is JsonValueKind.String)
            return Truth(value, pointer);
        if (value.ValueKind is not JsonValueKind.Object)
        {
            reader.Faults.Add(pointer, $"Expected a condition: a template, or an object with one of {string.Join(", ", Keys)}.");
            return null;
        }

        var members = value.EnumerateObject().ToList();
        foreach (var unknown in members.Where(member => !Keys.Contains(member.Name)))
        {
            reader.Faults.Add(JsonPointer.Append(pointer, unknown.Name),
                $"Unknown condition \"{ObjectReader.Cut(unknown.Name)}\".{Suggestion.For(unknown.Name, Keys)}");
        }

        if (members is [var only] && Keys.Contains(only.Name))
            return Read(only.Name, only.Value, pointer, JsonPointer.Append(pointer, only.Name), level);
        if (members.Count(member => Keys.Contains(member.Name)) != 1)
            reader.Faults.Add(pointer, $"A condition has exactly one of {string.Join(", ", Keys)}; combine several with \"all\" or \"any\".");
        return null;
    }

    private Condition? Read(string key, JsonElement value, string path, string pointer, int level) => key switch
    {
        "sql" => SqlNodeReader.Read(value, pointer, path, reader.Faults) is { } node ? new SqlCondition(node) { Path = path } : null,
        "rows" => Rows(value, path, pointer),
        "all" => List(value, pointer, level) is { } all ? new AllCondition(all) { Path = path } : null,
        "any" => List(value, pointer, level) is { } any ? new AnyCondition(any) { Path = path } : null,
        "not" => Read(value, pointer, level + 1) is { } inner ? new NotCondition(inner) { Path = path } : null,
        _ => Compare(Comparisons[key], value, path, pointer),
    };

    private TruthCondition? Truth(JsonElement value, string pointer)
    {
        if (TemplateParser.HasTemplate(value.GetString()!))
            return TemplateParser.Value(value, pointer, reader.Faults) is { } template ? new(template) { Path = pointer } : null;
        reader.Faults.Add(pointer, "A condition that is a text is a template, such as \"{{ resp.ok }}\".");
        return null;
    }

    private RowsCondition? Rows(JsonElement value, string path, string pointer)
    {
        if (value.ValueKind is JsonValueKind.String && WorkflowReader.IsResultName(value.GetString()!))
            return new(value.GetString()!) { Path = path };
        reader.Faults.Add(pointer, "Expected the name of a result, such as \"order\".");
        return null;
    }

    private CompareCondition? Compare(Comparison comparison, JsonElement value, string path, string pointer)
    {
        if (value.ValueKind is not JsonValueKind.Array || value.GetArrayLength() != 2)
        {
            reader.Faults.Add(pointer, "Expected a list of exactly two values.");
            return null;
        }

        var left = TemplateParser.Value(value[0], JsonPointer.Append(pointer, 0), reader.Faults);
        var right = TemplateParser.Value(value[1], JsonPointer.Append(pointer, 1), reader.Faults);
        return left is null || right is null ? null : new(comparison, left, right) { Path = path };
    }

    private ImmutableArray<Condition>? List(JsonElement value, string pointer, int level)
    {
        if (value.ValueKind is not JsonValueKind.Array || value.GetArrayLength() == 0)
        {
            reader.Faults.Add(pointer, "Expected a list of conditions, with at least one.");
            return null;
        }

        var read = value.EnumerateArray()
            .Select((item, index) => Read(item, JsonPointer.Append(pointer, index), level + 1))
            .ToList();
        return read.Contains(null) ? null : [.. read.Select(condition => condition!)];
    }
}
