using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>Truthiness: false, null, 0, "", "false", "f", "no", "0", [] and {} are false; everything else is true.</summary>
internal static class Truth
{
    public static bool Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.Number => !JsonNumber.IsZero(value),
        JsonValueKind.String => value.GetString() is not ("" or "false" or "f" or "no" or "0"),
        JsonValueKind.Array => value.GetArrayLength() > 0,
        JsonValueKind.Object => value.GetPropertyCount() > 0,
        _ => false,
    };
}
