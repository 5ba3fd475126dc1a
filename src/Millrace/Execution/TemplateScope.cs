using System.Text;
using System.Text.Json;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>A template could not be filled in. The message names it.</summary>
internal sealed class TemplateException(string message, string code = "template") : Exception(message)
{
    /// <summary>The failure's code.</summary>
    public string Code => code;
}

/// <summary>What templates can read at one point of a run.</summary>
internal sealed class TemplateScope(InstanceFacts facts, NameScope names, int attempt)
{
    // What is put together is given up while it grows: a short definition can ask for gigabytes. A result has a limit of its
    // own; a request may be larger than that.
    private readonly long limit = 16L * facts.ResultBytes;

    /// <summary>
    /// A path's value; null in place of a missing one if the path says so. A name that stands for the whole of a result hands
    /// on that result and what it is; a statement's stands for its first column.
    /// </summary>
    /// <exception cref="TemplateException">The value is missing.</exception>
    public Json Read(TemplatePath path) =>
        path.Steps.IsEmpty && names.TryGetValue(path.Root, out var result) && result.Kind is not ResultKind.Rows ? result
        : Element(path) is { } element ? Json.From(element)
        : Json.Null;

    /// <summary>A text with its templates filled in.</summary>
    public string Text(TextTemplate template)
    {
        if (template.Parts is [{ Path: null } only])
            return only.Text;
        var text = new StringBuilder();
        foreach (var part in template.Parts)
            Check(text.Append(part.Path is { } path ? TextOf(Element(path)) : part.Text).Length);
        return text.ToString();
    }

    /// <summary>A path's value as text.</summary>
    /// <exception cref="TemplateException">The value is missing.</exception>
    public string Text(TemplatePath path) => TextOf(Element(path));

    /// <summary>A value with its templates filled in.</summary>
    public Json Value(ValueTemplate template) => template switch
    {
        LiteralValue literal => literal.Value,
        PathValue only => Read(only.Path),
        _ => NotTooDeep(Json.Write(writer => Write(writer, template))),
    };

    // A value that is put together around another one is a level deeper than that, and may be put into the next one.
    private static Json NotTooDeep(Json value) => JsonText.NestsDeeper(value.Utf8.Span, Json.MaxDepth)
        ? throw new TemplateException($"the value nests deeper than {Json.MaxDepth} levels")
        : value;

    /// <summary>The rows of a named result.</summary>
    public bool HasRows(string name)
    {
        if (!names.TryGetValue(name, out var result))
            throw new TemplateException($"there is no result named \"{name}\"");
        if (result.Kind is not ResultKind.Rows)
            throw new TemplateException($"the result \"{name}\" has no rows to look at: it is not the result of a statement");
        return SqlResult.FirstRow(result) is not null;
    }

    /// <summary>As <see cref="Read"/>, but with null for a statement's result that has no rows.</summary>
    public JsonElement? ReadOrNoRow(TemplatePath path) =>
        names.TryGetValue(path.Root, out var result) && result.Kind is ResultKind.Rows
        && SqlResult.FirstRow(result) is null && !SqlResult.IsOwnMember(path)
            ? null
            : Element(path);

    /// <summary>Gives up what has grown too large.</summary>
    /// <exception cref="TemplateException">It has.</exception>
    public void Check(long bytes)
    {
        if (bytes > limit)
            throw new TemplateException($"what the node puts together takes more than {limit:N0} bytes", "result_too_large");
    }

    private void Write(Utf8JsonWriter writer, ValueTemplate template)
    {
        Check(writer.BytesCommitted + writer.BytesPending);
        switch (template)
        {
            case LiteralValue literal:
                literal.Value.WriteTo(writer);
                break;
            case PathValue only:
                Read(only.Path).WriteTo(writer);
                break;
            case TextValue text:
                writer.WriteStringValue(Text(text.Text));
                break;
            case ObjectValue members:
                writer.WriteStartObject();
                foreach (var (name, value) in members.Members)
                {
                    writer.WritePropertyName(name);
                    Write(writer, value);
                }

                writer.WriteEndObject();
                break;
            case ArrayValue items:
                writer.WriteStartArray();
                foreach (var item in items.Items)
                    Write(writer, item);
                writer.WriteEndArray();
                break;
        }
    }

    private static string TextOf(JsonElement? value) => value switch
    {
        null or { ValueKind: JsonValueKind.Null } => "",
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        { } other => other.GetRawText(),
    };

    private JsonElement? Element(TemplatePath path)
    {
        var (value, missing) = Find(path);
        return value is not null || path.Optional ? value : throw new TemplateException($"{{{{ {path.Source} }}}}: {missing}");
    }

    private (JsonElement? Value, string Missing) Find(TemplatePath path)
    {
        switch (path.Root)
        {
            case "input":
                return Steps.Walk(facts.Input.Element, path, 0);
            case "vars":
                return Steps.Walk(facts.Variables.Element, path, 0);
            case "instance":
                return Steps.Walk(Instance().Element, path, 0);
            default:
                return names.TryGetValue(path.Root, out var result)
                    ? Steps.WalkResult(result, path)
                    : (null, $"there is no result named \"{path.Root}\"");
        }
    }

    private Json Instance() => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("id", facts.Id);
        writer.WriteString("label", facts.Label);
        writer.WriteString("workflow", facts.Workflow);
        writer.WriteNumber("attempt", attempt);
        writer.WriteEndObject();
    });
}
