using System.Text.Json;
using System.Text.RegularExpressions;

namespace Millrace.Tests.Support;

/// <summary>
/// A validator of JSON Schema (draft 2020-12) for the keywords that our schema uses. A keyword it does not know is an
/// error, so the schema cannot outgrow it unnoticed. No package that does this can be relied on to be there.
/// </summary>
internal sealed class JsonSchema(JsonElement root)
{
    private static readonly HashSet<string> Annotations = ["$schema", "$defs", "title", "description", "default"];

    public bool Accepts(JsonElement value) => Check(root, value, out _);

    private bool Check(JsonElement schema, JsonElement value, out HashSet<string> evaluated)
    {
        evaluated = [];
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return schema.GetBoolean();
        foreach (var keyword in schema.EnumerateObject().Where(keyword => keyword.Name is not "unevaluatedProperties"))
        {
            if (!Annotations.Contains(keyword.Name) && !CheckKeyword(schema, keyword, value, evaluated))
                return false;
        }

        var seen = evaluated;
        return !schema.TryGetProperty("unevaluatedProperties", out var rest) || value.ValueKind is not JsonValueKind.Object
            || Members(value).All(member => seen.Contains(member.Name) || Check(rest, member.Value, out _));
    }

    private bool CheckKeyword(JsonElement schema, JsonProperty keyword, JsonElement value, HashSet<string> evaluated)
    {
        var argument = keyword.Value;
        switch (keyword.Name)
        {
            case "$ref":
                return Merge(Check(Resolve(argument.GetString()!), value, out var referred), referred, evaluated);
            case "oneOf":
                var matches = argument.EnumerateArray().Where(option =>
                    Merge(Check(option, value, out var found), found, evaluated)).Count();
                return matches == 1;
            case "anyOf":
                return argument.EnumerateArray().Select(option => Merge(Check(option, value, out var found), found, evaluated)).ToList().Contains(true);
            case "not":
                return !Check(argument, value, out _);
            case "enum":
                return argument.EnumerateArray().Any(option => JsonElement.DeepEquals(option, value));
            case "const":
                return JsonElement.DeepEquals(argument, value);
            case "type":
                return IsOf(argument.GetString()!, value);
            default:
                return value.ValueKind switch
                {
                    JsonValueKind.String => CheckText(keyword.Name, argument, value.GetString()!),
                    JsonValueKind.Number => CheckNumber(keyword.Name, argument, value.GetDouble()),
                    JsonValueKind.Array => CheckArray(keyword.Name, argument, value),
                    JsonValueKind.Object => CheckObject(schema, keyword.Name, argument, value, evaluated),
                    _ => Known(keyword.Name),
                };
        }
    }

    private static bool CheckText(string keyword, JsonElement argument, string text) => keyword switch
    {
        "pattern" => Regex.IsMatch(text, argument.GetString()!, RegexOptions.ECMAScript) && !text.EndsWith('\n'),
        "maxLength" => text.EnumerateRunes().Count() <= argument.GetInt32(),
        _ => Known(keyword),
    };

    private static bool CheckNumber(string keyword, JsonElement argument, double number) => keyword switch
    {
        "minimum" => number >= argument.GetDouble(),
        "maximum" => number <= argument.GetDouble(),
        _ => Known(keyword),
    };

    private bool CheckArray(string keyword, JsonElement argument, JsonElement array) => keyword switch
    {
        "minItems" => array.GetArrayLength() >= argument.GetInt32(),
        "maxItems" => array.GetArrayLength() <= argument.GetInt32(),
        "items" => array.EnumerateArray().All(item => Check(argument, item, out _)),
        _ => Known(keyword),
    };

    private bool CheckObject(JsonElement schema, string keyword, JsonElement argument, JsonElement value, HashSet<string> evaluated)
    {
        switch (keyword)
        {
            case "required":
                return argument.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _));
            case "minProperties":
                return value.GetPropertyCount() >= argument.GetInt32();
            case "maxProperties":
                return value.GetPropertyCount() <= argument.GetInt32();
            case "propertyNames":
                return Members(value).All(member => Check(argument, JsonSerializer.SerializeToElement(member.Name), out _));
            case "properties":
                var known = Members(value).Where(member => argument.TryGetProperty(member.Name, out _)).ToList();
                evaluated.UnionWith(known.Select(member => member.Name));
                return known.All(member => Check(argument.GetProperty(member.Name), member.Value, out _));
            case "additionalProperties":
                var rest = Members(value).Where(member => !schema.TryGetProperty("properties", out var named) || !named.TryGetProperty(member.Name, out _)).ToList();
                evaluated.UnionWith(rest.Select(member => member.Name));
                return rest.All(member => Check(argument, member.Value, out _));
            default:
                return Known(keyword);
        }
    }

    // A keyword for another type says nothing; one that nobody knows is a hole in this validator.
    private static bool Known(string keyword) => keyword is "pattern" or "maxLength" or "minimum" or "maximum" or "minItems" or "maxItems"
        or "items" or "required" or "minProperties" or "maxProperties" or "propertyNames" or "properties" or "additionalProperties"
        ? true
        : throw new NotSupportedException($"The schema uses \"{keyword}\", which this validator does not know.");

    private static bool IsOf(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind is JsonValueKind.Object,
        "array" => value.ValueKind is JsonValueKind.Array,
        "string" => value.ValueKind is JsonValueKind.String,
        "number" => value.ValueKind is JsonValueKind.Number,
        "integer" => value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out _),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => throw new NotSupportedException($"Unknown type {type}."),
    };

    private static bool Merge(bool accepted, HashSet<string> found, HashSet<string> evaluated)
    {
        if (accepted)
            evaluated.UnionWith(found);
        return accepted;
    }

    private static IEnumerable<JsonProperty> Members(JsonElement value) => value.EnumerateObject();

    private JsonElement Resolve(string reference) =>
        reference["#/".Length..].Split('/').Aggregate(root, (at, name) => at.GetProperty(name));
}
