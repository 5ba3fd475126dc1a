using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads <c>{{ path }}</c> in texts and values, and <c>{{ "{{" }}</c>, or the same with single quotes, which is two braces.</summary>
internal static partial class TemplateParser
{
    private const string Opening = "{{";

    /// <summary>Names that a workflow cannot bind, because templates read something else by them.</summary>
    public static readonly ImmutableArray<string> Reserved = ["input", "vars", "item", "error", "instance"];

    public static bool HasTemplate(string text) => text.Contains(Opening, StringComparison.Ordinal);

    /// <summary>Reads a text; adds a fault and returns null where a template in it is malformed.</summary>
    public static TextTemplate? Text(string text, string pointer, FaultList faults, bool isAddress = false)
    {
        var parts = ImmutableArray.CreateBuilder<TextPart>();
        var plain = new StringBuilder();
        var at = 0;
        while (text.IndexOf(Opening, at, StringComparison.Ordinal) is >= 0 and var open)
        {
            plain.Append(text, at, open - at);
            if (EndOfLiteral(text, open) is { } end)
            {
                plain.Append(Opening);
                at = end;
                continue;
            }

            if (Path(text, open, pointer, faults, isAddress) is not { } found)
                return null;
            AddPlain();
            parts.Add(new("", found.Path));
            at = found.End;
        }

        plain.Append(text, at, text.Length - at);
        AddPlain();
        return new(parts.ToImmutable());

        void AddPlain()
        {
            if (plain.Length > 0)
                parts.Add(new(plain.ToString(), null));
            plain.Clear();
        }
    }

    /// <summary>Where the braces that open at a place are written as text, <c>{{ "{{" }}</c>, the end of that; otherwise null.</summary>
    public static int? EndOfLiteral(string text, int open) =>
        LiteralForm().Match(text, open) is { Success: true } match ? open + match.Length : null;

    /// <summary>Whether the braces that open at a place close, and hold a path as a template does.</summary>
    /// <param name="text">The text.</param>
    /// <param name="open">Where they open.</param>
    /// <param name="end">Where they must have closed.</param>
    public static bool IsPath(string text, int open, int end)
    {
        var close = text.IndexOf("}}", open, end - open, StringComparison.Ordinal);
        return close >= open + 2 && PathForm().IsMatch(text[(open + 2)..close].Trim());
    }

    /// <summary>Reads a value; adds a fault for each malformed template in it.</summary>
    public static ValueTemplate? Value(JsonElement value, string pointer, FaultList faults) => value.ValueKind switch
    {
        JsonValueKind.String => StringValue(value, pointer, faults),
        JsonValueKind.Object => Object(value, pointer, faults),
        JsonValueKind.Array => Array(value, pointer, faults),
        _ => new LiteralValue(Json.From(value)),
    };

    /// <summary>The members of an object, each as a template, even where none of them contains any.</summary>
    public static ObjectValue Members(JsonElement value, string pointer, FaultList faults) =>
        new([.. value.EnumerateObject().Select(member => KeyValuePair.Create(
            member.Name, Value(member.Value, JsonPointer.Append(pointer, member.Name), faults)!))]);

    /// <summary>Reads the template that opens at <paramref name="open"/>.</summary>
    public static (TemplatePath Path, int End)? Path(string text, int open, string pointer, FaultList faults, bool isAddress = false)
    {
        var close = text.IndexOf("}}", open + 2, StringComparison.Ordinal);
        if (close < 0)
        {
            faults.Add(pointer, $"A template opens with \"{{{{\" at character {open + 1} and is never closed with \"}}}}\".");
            return null;
        }

        var source = text[(open + 2)..close].Trim();
        if (PathForm().Match(source) is not { Success: true } match)
        {
            faults.Add(pointer, $"\"{{{{ {ObjectReader.Cut(source)} }}}}\" is not a template: expected a path such as"
                + " \"order.id\", \"order.rows[2].id\", \"input[\\\"a key\\\"]\" or, to allow for a missing value, \"order.id?\"."
                + " Braces that are meant as text are written {{ '{{' }}.");
            return null;
        }

        if (!TrySteps(match, out var steps))
        {
            faults.Add(pointer, $"\"{{{{ {ObjectReader.Cut(source)} }}}}\": an index is at most {int.MaxValue}.");
            return null;
        }

        var isRaw = match.Groups["raw"].Success;
        if (isRaw && !isAddress)
        {
            faults.Add(pointer, $"\"{{{{ {ObjectReader.Cut(source)} }}}}\": only in an http node's address something is encoded unless it is marked \"| raw\".");
            return null;
        }

        return (new(match.Groups["root"].Value, steps, match.Groups["optional"].Success, source) { IsRaw = isRaw }, close + 2);
    }

    private static bool TrySteps(Match match, out ImmutableArray<PathStep> steps)
    {
        var found = ImmutableArray.CreateBuilder<PathStep>();
        foreach (Capture capture in match.Groups["step"].Captures)
        {
            var step = capture.Value;
            if (step[0] is '.')
                found.Add(new(step[1..]));
            else if (step[1] is '"')
                found.Add(new(step[2..^2]));
            else if (int.TryParse(step.AsSpan(1, step.Length - 2), out var index))
                found.Add(new(null, index));
            else
            {
                steps = [];
                return false;
            }
        }

        steps = found.ToImmutable();
        return true;
    }

    private static ValueTemplate? StringValue(JsonElement value, string pointer, FaultList faults)
    {
        var text = value.GetString()!;
        if (!HasTemplate(text))
            return new LiteralValue(Json.From(value));
        return Text(text, pointer, faults) switch
        {
            null => null,
            { Parts: [{ Path: { } only }] } => new PathValue(only),
            { IsConstant: true } constant => new LiteralValue(Json.From(constant.Source)) { IsRewritten = true },
            { } template => new TextValue(template),
        };
    }

    private static ValueTemplate Object(JsonElement value, string pointer, FaultList faults)
    {
        var members = Members(value, pointer, faults);
        return members.Members.All(member => member.Value is LiteralValue { IsRewritten: false }) ? new LiteralValue(Json.From(value)) : members;
    }

    private static ValueTemplate Array(JsonElement value, string pointer, FaultList faults)
    {
        ImmutableArray<ValueTemplate> items =
            [.. value.EnumerateArray().Select((item, index) => Value(item, JsonPointer.Append(pointer, index), faults)!)];
        return items.All(item => item is LiteralValue { IsRewritten: false }) ? new LiteralValue(Json.From(value)) : new ArrayValue(items);
    }

    [GeneratedRegex("""
        \A(?<root>[A-Za-z_][A-Za-z0-9_-]*)(?<step>\.[A-Za-z_0-9][A-Za-z0-9_-]*|\[[0-9]{1,10}\]|\["[^"\]]+"\])*\s*(?<optional>\?)?(?<raw>\s*\|\s*raw)?\z
        """, RegexOptions.CultureInvariant)]
    private static partial Regex PathForm();

    [GeneratedRegex("""\G\{\{\s*(?:"\{\{"|'\{\{')\s*\}\}""", RegexOptions.CultureInvariant)]
    private static partial Regex LiteralForm();
}
