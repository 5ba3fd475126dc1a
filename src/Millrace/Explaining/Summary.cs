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
        IfNode branch => Of(branch.Condition),
        ReturnNode end => Of(end.Value),
        FailNode fail => fail.Message.Source,
        _ => "",
    });

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
