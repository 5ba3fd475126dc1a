using System.Text.Json;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>Follows a template's steps into a value.</summary>
internal static class Steps
{
    /// <summary>
    /// Follows all steps into a named result. A statement's result offers its first row's columns; the text body of an
    /// HTTP response is read as JSON where steps lead into it.
    /// </summary>
    public static (JsonElement? Value, string Missing) WalkResult(Json result, TemplatePath path) => result.Kind switch
    {
        ResultKind.Rows when !SqlResult.IsOwnMember(path) => WalkRow(result, path),
        ResultKind.Response when path.Steps is [{ Name: "body" }, _, ..] => WalkBody(result, path),
        _ => Walk(result.Element, path, 0),
    };

    private static (JsonElement? Value, string Missing) WalkRow(Json result, TemplatePath path)
    {
        if (SqlResult.FirstRow(result) is not { } row)
            return (null, $"\"{path.Root}\" has no rows");
        return path.Steps.IsEmpty ? (SqlResult.FirstColumn(row), $"\"{path.Root}\" has no columns") : Walk(row, path, 0);
    }

    private static (JsonElement? Value, string Missing) WalkBody(Json result, TemplatePath path) => HttpResult.JsonBody(result) switch
    {
        ({ } body, _) => Walk(body, path, 1),
        (_, { } fault) => (null, $"\"{path.Root}.body\" cannot be read as JSON, only as a whole. {fault}"),
        _ => Walk(result.Element, path, 0),
    };

    /// <summary>Follows the steps from <paramref name="from"/> on.</summary>
    public static (JsonElement? Value, string Missing) Walk(JsonElement value, TemplatePath path, int from)
    {
        for (var i = from; i < path.Steps.Length; i++)
        {
            if (Step(value, path.Steps[i]) is not { } next)
                return (null, Missing(value, path, i));
            value = next;
        }

        return (value, "");
    }

    private static JsonElement? Step(JsonElement value, PathStep step) => (value.ValueKind, step.Name) switch
    {
        (JsonValueKind.Object, { } name) => value.TryGetProperty(name, out var member) ? member : null,
        (JsonValueKind.Array, null) => step.Index < value.GetArrayLength() ? value[step.Index] : null,
        _ => null,
    };

    private static string Missing(JsonElement value, TemplatePath path, int at)
    {
        var where = string.Concat(path.Steps.Take(at).Select(Show).Prepend(path.Root));
        var step = path.Steps[at];
        return (value.ValueKind, step.Name) switch
        {
            (JsonValueKind.Object, { } name) =>
                $"\"{where}\" has no \"{name}\".{Suggestion.For(name, value.EnumerateObject().Select(member => member.Name).Take(100))}",
            (JsonValueKind.Array, null) => $"\"{where}\" has {value.GetArrayLength()} elements, so none at index {step.Index}",
            _ => $"\"{where}\" is {ObjectReader.Name(value)}, which has no {(step.Name is null ? "elements" : $"\"{step.Name}\"")}",
        };
    }

    private static string Show(PathStep step) => step.Name is { } name ? $".{name}" : $"[{step.Index}]";
}
