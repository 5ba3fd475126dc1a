namespace Millrace.Values;

/// <summary>JSON Pointers (RFC 6901), as used for the places of faults and for the paths of nodes.</summary>
internal static class JsonPointer
{
    public static string Append(string pointer, string member) =>
        $"{pointer}/{member.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";

    public static string Append(string pointer, int index) => $"{pointer}/{index}";
}
