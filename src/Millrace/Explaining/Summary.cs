using System.Text.Json;
using System.Text.RegularExpressions;
using Millrace.Workflows;

namespace Millrace.Explaining;

/// <summary>What nodes and conditions do, in a line each.</summary>
internal static partial class Summary
{
    private const int Longest = 80;

    public static string Of(Node node) => OneLine(node switch
    {
        SqlNode sql => sql.Query.Source,
        HttpNode http => $"{http.Method} {http.Url.Source}",
        SleepNode sleep => sleep.Duration.Source,
        SetNode set => string.Join(", ", set.Values.Members.Select(member => member.Key)),
        WaitForScheduleNode wait => wait.Schedule.Zone.Id == TimeZoneInfo.Utc.Id ? wait.Schedule.Expression : $"{wait.Schedule.Expression} {wait.Schedule.Zone.Id}",
        WaitForSignalNode wait => wait.Name.Source,
        IfNode branch => Of(branch.Condition),
        BranchingNode branches => $"{branches.Branches.Length} branches",
        LoopNode loop => Of(loop),
        BreakNode end => Of(end.Value),
        ForEachNode forEach => $"{forEach.Item} of {Of(forEach.Items)}{(forEach.Spread ? ", spread" : "")}",
        RunNode run => run.Workflow,
        CallNode call => call.Handler,
        ReturnNode end => Of(end.Value),
        FailNode fail => fail.Message.Source,
        _ => "",
    });

    private static string Of(LoopNode loop)
    {
        string?[] parts = [loop.While is { } condition ? $"while {Of(condition)}" : null, loop.Max is { } max ? $"at most {max} turns" : null];
        var said = string.Join(", ", parts.Where(part => part is not null));
        return said.Length == 0 ? "for ever" : said;
    }

    private static string Of(Condition condition) => condition switch
    {
        SqlCondition sql => sql.Node.Query.Source,
        RowsCondition rows => $"rows in {rows.Name}",
        TruthCondition truth => Of(truth.Value),
        CompareCondition compare => $"{Of(compare.Left)} {Word(compare.Comparison)} {Of(compare.Right)}",
        AllCondition all => string.Join(" and ", all.Conditions.Select(Of)),
        AnyCondition any => string.Join(" or ", any.Conditions.Select(Of)),
        NotCondition not => $"not ({Of(not.Inner)})",
        _ => "",
    };

    private static string Of(ValueTemplate value) => value switch
    {
        LiteralValue { Value.Element: { ValueKind: JsonValueKind.String } text } => text.GetString()!,
        LiteralValue literal => literal.Value.ToString(),
        PathValue only => $"{{{{ {only.Path.Source} }}}}",
        TextValue text => text.Text.Source,
        ObjectValue members => $"{{{string.Join(", ", members.Members.Select(member => $"{member.Key}: {Of(member.Value)}"))}}}",
        ArrayValue items => $"[{string.Join(", ", items.Items.Select(Of))}]",
        _ => "",
    };

    private static string Word(Comparison comparison) => comparison switch
    {
        Comparison.Equals => "equals",
        Comparison.NotEquals => "is not",
        Comparison.GreaterThan => "is greater than",
        Comparison.LessThan => "is less than",
        _ => "contains",
    };

    private static string OneLine(string text)
    {
        var line = Blanks().Replace(text.Trim(), " ");
        return line.Length <= Longest ? line : $"{line[..(Longest - 1)]}…";
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
