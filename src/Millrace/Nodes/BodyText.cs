using System.Net.Http.Headers;
using System.Text;

namespace Millrace.Nodes;

/// <summary>Tells text from other content.</summary>
internal static class BodyText
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The body as text; null where it is none, or none that PostgreSQL could keep.</summary>
    public static string? Of(MediaTypeHeaderValue? type, byte[] body)
    {
        if (type?.MediaType is { } media && !IsTextual(media))
            return null;
        try
        {
            var text = EncodingOf(type?.CharSet).GetString(body);
            return text.Contains('\0', StringComparison.Ordinal) ? null : text.TrimStart('\uFEFF');
        }
        catch (Exception e) when (e is DecoderFallbackException or ArgumentException)
        {
            return null;
        }
    }

    public static string WithoutNul(string text) => text.Replace("\0", "", StringComparison.Ordinal);

    private static bool IsTextual(string media) =>
        media.StartsWith("text/", StringComparison.OrdinalIgnoreCase)
        || media.EndsWith("+json", StringComparison.OrdinalIgnoreCase)
        || media.EndsWith("+xml", StringComparison.OrdinalIgnoreCase)
        || media.ToLowerInvariant() is "application/json" or "application/xml" or "application/javascript" or "application/x-ndjson"
            or "application/x-www-form-urlencoded" or "application/yaml" or "application/graphql";

    private static Encoding EncodingOf(string? charset) => charset?.Trim('"').ToLowerInvariant() switch
    {
        null or "" or "utf-8" or "utf8" => StrictUtf8,
        var other => Encoding.GetEncoding(other, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback),
    };
}
