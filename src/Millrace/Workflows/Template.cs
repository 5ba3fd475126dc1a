using System.Collections.Immutable;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>What stands between <c>{{</c> and <c>}}</c>: a root name and steps into its value.</summary>
/// <param name="Root">A result's name, or <c>input</c>, <c>vars</c>, <c>item</c>, <c>error</c>, <c>instance</c>.</param>
/// <param name="Steps">The steps; may be empty.</param>
/// <param name="Optional">Whether a missing value is null instead of a failure (<c>{{ order.id? }}</c>).</param>
/// <param name="Source">The path as written, without the braces.</param>
public sealed record TemplatePath(string Root, ImmutableArray<PathStep> Steps, bool Optional, string Source)
{
    /// <summary>Whether the value goes into an address as it is, not percent-encoded (<c>{{ page.next | raw }}</c>).</summary>
    public bool IsRaw { get; init; }
}

/// <summary>One step into a value: a member by name, or an element by index.</summary>
/// <param name="Name">The member; null for an element.</param>
/// <param name="Index">The element, from 0.</param>
public readonly record struct PathStep(string? Name, int Index = 0);

/// <summary>Text with templates in it; each is replaced by its value's text.</summary>
/// <param name="Parts">The parts, in order.</param>
public sealed record TextTemplate(ImmutableArray<TextPart> Parts)
{
    /// <summary>Whether it contains no template.</summary>
    public bool IsConstant => Parts.All(part => part.Path is null);

    /// <summary>The roots of its templates.</summary>
    internal IEnumerable<string> Roots => Parts.Where(part => part.Path is not null).Select(part => part.Path!.Root);

    /// <summary>The text with its templates as they are written; all of it where it is constant.</summary>
    public string Source => string.Concat(Parts.Select(part => part.Path is { } path ? $"{{{{ {path.Source} }}}}" : part.Text));
}

/// <summary>A stretch of plain text, or a template.</summary>
/// <param name="Text">The text; empty for a template.</param>
/// <param name="Path">The template; null for text.</param>
public readonly record struct TextPart(string Text, TemplatePath? Path);

/// <summary>A JSON value with templates in its strings.</summary>
public abstract record ValueTemplate
{
    private protected ValueTemplate()
    {
    }

    /// <summary>The roots of its templates.</summary>
    internal IEnumerable<string> Roots => this switch
    {
        PathValue only => [only.Path.Root],
        TextValue text => text.Text.Roots,
        ObjectValue members => members.Members.SelectMany(member => member.Value.Roots),
        ArrayValue items => items.Items.SelectMany(item => item.Roots),
        _ => [],
    };
}

/// <summary>A value without templates.</summary>
/// <param name="Value">The value.</param>
public sealed record LiteralValue(Json Value) : ValueTemplate
{
    /// <summary>Whether the definition writes it otherwise: braces that are meant as text.</summary>
    internal bool IsRewritten { get; init; }
}

/// <summary>A string that is one template only: the value keeps its type.</summary>
/// <param name="Path">The template.</param>
public sealed record PathValue(TemplatePath Path) : ValueTemplate;

/// <summary>A string with templates inside other text.</summary>
/// <param name="Text">The text.</param>
public sealed record TextValue(TextTemplate Text) : ValueTemplate;

/// <summary>An object with templates somewhere in its values. Member names are never templates.</summary>
/// <param name="Members">The members, in order.</param>
public sealed record ObjectValue(ImmutableArray<KeyValuePair<string, ValueTemplate>> Members) : ValueTemplate;

/// <summary>An array with templates somewhere in its elements.</summary>
/// <param name="Items">The elements, in order.</param>
public sealed record ArrayValue(ImmutableArray<ValueTemplate> Items) : ValueTemplate;

/// <summary>A statement in which each template has become a positional parameter.</summary>
/// <param name="Text">The statement with <c>$1</c>, <c>$2</c>, … where templates stood.</param>
/// <param name="Parameters">The templates, in the order of their parameters.</param>
/// <param name="Source">The statement as written.</param>
public sealed record SqlTemplate(string Text, ImmutableArray<TemplatePath> Parameters, string Source);
