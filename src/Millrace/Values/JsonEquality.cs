using System.Runtime.InteropServices;
using System.Text.Json;

namespace Millrace.Values;

/// <summary>
/// Whether two values are the same: numbers by value, texts by their characters, arrays element by element, objects
/// whatever the order of their members. However deep they nest, it takes no more of the stack.
/// </summary>
internal static class JsonEquality
{
    public static bool AreEqual(JsonElement left, JsonElement right)
    {
        Stack<(JsonElement, JsonElement)>? inner = null;
        while (true)
        {
            if (!AreEqual(left, right, ref inner))
                return false;
            if (inner is null || !inner.TryPop(out var pair))
                return true;
            (left, right) = pair;
        }
    }

    // Leaves to later what stands inside.
    private static bool AreEqual(JsonElement left, JsonElement right, ref Stack<(JsonElement, JsonElement)>? inner)
    {
        if (left.ValueKind != right.ValueKind)
            return false;
        switch (left.ValueKind)
        {
            case JsonValueKind.Number:
                return JsonNumber.Compare(left, right) == 0;
            case JsonValueKind.String:
                return IsSameText(left, right);
            case JsonValueKind.Array:
                return IsSameLength(left, right, ref inner);
            case JsonValueKind.Object:
                return HasSameMembers(left, right, ref inner);
            default:
                return true;
        }
    }

    private static bool IsSameText(JsonElement left, JsonElement right)
    {
        var a = JsonMarshal.GetRawUtf8Value(left);
        var b = JsonMarshal.GetRawUtf8Value(right);
        if (a.SequenceEqual(b))
            return true;
        // Only an escape can spell the same text in another way.
        return (a.Contains((byte)'\\') || b.Contains((byte)'\\')) && string.Equals(left.GetString(), right.GetString(), StringComparison.Ordinal);
    }

    private static bool IsSameLength(JsonElement left, JsonElement right, ref Stack<(JsonElement, JsonElement)>? inner)
    {
        if (left.GetArrayLength() != right.GetArrayLength())
            return false;
        using var others = right.EnumerateArray().GetEnumerator();
        foreach (var item in left.EnumerateArray())
        {
            others.MoveNext();
            if (!IsSameOrLater(item, others.Current, ref inner))
                return false;
        }

        return true;
    }

    private static bool HasSameMembers(JsonElement left, JsonElement right, ref Stack<(JsonElement, JsonElement)>? inner)
    {
        var (members, others) = (MembersOf(left), MembersOf(right));
        if (members.Count != others.Count)
            return false;
        foreach (var (name, value) in members)
        {
            if (!others.TryGetValue(name, out var other) || !IsSameOrLater(value, other, ref inner))
                return false;
        }

        return true;
    }

    // Of several members of a name the last one counts, as it does for whoever reads one.
    private static Dictionary<string, JsonElement> MembersOf(JsonElement value)
    {
        var members = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
            members[member.Name] = member.Value;
        return members;
    }

    private static bool IsSameOrLater(JsonElement left, JsonElement right, ref Stack<(JsonElement, JsonElement)>? inner)
    {
        if (left.ValueKind is not (JsonValueKind.Array or JsonValueKind.Object) || left.ValueKind != right.ValueKind)
            return AreEqual(left, right, ref inner);
        (inner ??= new()).Push((left, right));
        return true;
    }
}
