using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>What a condition comes to: an answer, or the statement that must be run first.</summary>
internal readonly record struct Verdict(bool Holds, SqlNode? Unanswered = null);

/// <summary>
/// Checks a condition with the answers of its statements so far. It stops at the first statement without an answer, and
/// is asked again when there is one; what precedes that statement comes to the same each time.
/// </summary>
internal sealed class ConditionCheck(TemplateScope templates, ImmutableDictionary<string, bool> answers)
{
    public Verdict Check(Condition condition) => condition switch
    {
        SqlCondition sql => answers.TryGetValue(sql.Path, out var holds) ? new(holds) : new(false, sql.Node),
        RowsCondition rows => new(templates.HasRows(rows.Name)),
        TruthCondition { Value: PathValue only } => new(templates.ReadOrNoRow(only.Path) is { } value && Truth.Of(value)),
        TruthCondition truth => new(Truth.Of(templates.Value(truth.Value).Element)),
        CompareCondition compare => new(Compare(compare)),
        NotCondition not => Check(not.Inner) is var inner ? inner with { Holds = !inner.Holds } : default,
        AllCondition all => First(all.Conditions, stopAt: false),
        AnyCondition any => First(any.Conditions, stopAt: true),
        _ => throw new InvalidOperationException($"Unknown condition {condition.GetType().Name}."),
    };

    /// <summary>The answer of a statement: the first column of its first row, by truthiness.</summary>
    public static bool FirstColumnHolds(Json result) =>
        SqlResult.FirstRow(result) is { } row && SqlResult.FirstColumn(row) is { } column && Truth.Of(column);

    private Verdict First(ImmutableArray<Condition> conditions, bool stopAt)
    {
        foreach (var condition in conditions)
        {
            var verdict = Check(condition);
            if (verdict.Unanswered is not null || verdict.Holds == stopAt)
                return verdict;
        }

        return new(!stopAt);
    }

    private bool Compare(CompareCondition condition)
    {
        var left = templates.Value(condition.Left).Element;
        var right = templates.Value(condition.Right).Element;
        return condition.Comparison switch
        {
            Comparison.Equals => JsonEquality.AreEqual(left, right),
            Comparison.NotEquals => !JsonEquality.AreEqual(left, right),
            Comparison.GreaterThan => Order(left, right, "greaterThan") > 0,
            Comparison.LessThan => Order(left, right, "lessThan") < 0,
            _ => Contains(left, right),
        };
    }

    private static int Order(JsonElement left, JsonElement right, string comparison)
    {
        if (left.ValueKind is JsonValueKind.Number && right.ValueKind is JsonValueKind.Number)
            return JsonNumber.Compare(left, right);
        if (left.ValueKind is JsonValueKind.String && right.ValueKind is JsonValueKind.String)
            return OrderTexts(left.GetString()!, right.GetString()!);
        throw new TemplateException(
            $"\"{comparison}\" compares two numbers or two texts, not {ObjectReader.Name(left)} with {ObjectReader.Name(right)}");
    }

    // UTF-8 has the order of the code points; UTF-16 has not.
    private static int OrderTexts(string left, string right) =>
        Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right));

    private static bool Contains(JsonElement container, JsonElement item) => container.ValueKind switch
    {
        JsonValueKind.String => item.ValueKind is JsonValueKind.String
            && container.GetString()!.Contains(item.GetString()!, StringComparison.Ordinal),
        JsonValueKind.Array => container.EnumerateArray().Any(element => JsonEquality.AreEqual(element, item)),
        JsonValueKind.Object => item.ValueKind is JsonValueKind.String && container.TryGetProperty(item.GetString()!, out _),
        _ => throw new TemplateException($"\"contains\" looks into a text, an array or an object, not into {ObjectReader.Name(container)}"),
    };
}
