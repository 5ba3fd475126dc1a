using System.Text.Json;

namespace Millrace.Values;

/// <summary>
/// Reads the members of a JSON object by name, gathers a fault for each that is missing, of the wrong type or out of
/// bounds, and, once all known ones were asked for, for each that nobody asked for.
/// </summary>
public sealed class ObjectReader(JsonElement value, string pointer, FaultList faults)
{
    private readonly List<string> known = [];

    /// <summary>Where the object stands.</summary>
    public string Pointer => pointer;

    /// <summary>Where faults go.</summary>
    public FaultList Faults => faults;

    /// <summary>Makes a reader, or adds a fault where the value is no object.</summary>
    public static ObjectReader? Of(JsonElement value, string pointer, FaultList faults)
    {
        if (value.ValueKind is JsonValueKind.Object)
            return new(value, pointer, faults);
        faults.Add(pointer, $"Expected an object, found {Name(value)}.");
        return null;
    }

    /// <summary>The pointer of a member.</summary>
    public string At(string name) => JsonPointer.Append(pointer, name);

    /// <summary>Whether there is a member of that name; asking makes it no known one.</summary>
    public bool Has(string name) => value.TryGetProperty(name, out _);

    /// <summary>The member, or null where it is missing. JSON null counts as a value here.</summary>
    public JsonElement? Any(string name)
    {
        known.Add(name);
        return value.TryGetProperty(name, out var member) ? member : null;
    }

    /// <summary>The member; a fault where it is missing.</summary>
    public JsonElement? Required(string name)
    {
        var member = Any(name);
        if (member is null)
            faults.Add(pointer, $"\"{name}\" is missing.");
        return member;
    }

    /// <summary>A string; null where it is missing or wrong.</summary>
    public string? Text(string name, int maxLength = int.MaxValue)
    {
        if (Any(name) is not { } member || !Is(member, JsonValueKind.String, name, "a string"))
            return null;

        var text = member.GetString()!;
        if (text.Length <= maxLength)
            return text;
        faults.Add(At(name), $"Longer than {maxLength} characters.");
        return null;
    }

    /// <summary>A boolean; null where it is missing or wrong.</summary>
    public bool? Flag(string name) =>
        Any(name) switch
        {
            null => null,
            { ValueKind: JsonValueKind.True } => true,
            { ValueKind: JsonValueKind.False } => false,
            { } other => Wrong<bool>(name, "true or false", other),
        };

    /// <summary>A whole number within bounds; null where it is missing or wrong.</summary>
    public int? Integer(string name, int min, int max)
    {
        if (Any(name) is not { } member)
            return null;
        if (member.ValueKind is not JsonValueKind.Number)
            return Wrong<int>(name, "a whole number", member);
        if (member.TryGetInt32(out var number) && number >= min && number <= max)
            return number;
        faults.Add(At(name), $"Must be a whole number from {min} to {max}.");
        return null;
    }

    /// <summary>A number within bounds; null where it is missing or wrong.</summary>
    public double? Number(string name, double min, double max)
    {
        if (Any(name) is not { } member)
            return null;
        if (member.ValueKind is not JsonValueKind.Number)
            return Wrong<double>(name, "a number", member);
        if (member.TryGetDouble(out var number) && number >= min && number <= max)
            return number;
        faults.Add(At(name), string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Must be a number from {min} to {max}."));
        return null;
    }

    /// <summary>Adds a fault for each member that was not asked for.</summary>
    public void Finish()
    {
        foreach (var member in value.EnumerateObject())
        {
            if (!known.Contains(member.Name))
                faults.Add(At(member.Name), $"Unknown key \"{Cut(member.Name)}\".{Suggestion.For(member.Name, known)}");
        }
    }

    /// <summary>A text short enough for a message.</summary>
    public static string Cut(string text) => text.Length <= 64 ? text : $"{text[..60]}…";

    /// <summary>What a value is, in a message's words.</summary>
    public static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };

    private bool Is(JsonElement member, JsonValueKind kind, string name, string expected)
    {
        if (member.ValueKind == kind)
            return true;
        Wrong<int>(name, expected, member);
        return false;
    }

    private T? Wrong<T>(string name, string expected, JsonElement found)
        where T : struct
    {
        faults.Add(At(name), $"Expected {expected}, found {Name(found)}.");
        return null;
    }
}
