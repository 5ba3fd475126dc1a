using System.Net.Http.Headers;
using System.Text;

namespace Millrace.Nodes;

/// <summary>A text's charset is unknown.</summary>
internal sealed class CharsetException(string charset) : Exception($"the response is text in the charset \"{charset}\", which is unknown");

/// <summary>Tells text from other content.</summary>
internal static class BodyText
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The body as text; null where it is none, or none that PostgreSQL could keep.</summary>
    /// <exception cref="CharsetException">It is text, but nobody knows how to read it.</exception>
    public static string? Of(MediaTypeHeaderValue? type, byte[] body)
    {
        if (type?.MediaType is { } media && !IsTextual(media))
            return null;
        if (body.Length == 0)
            return "";
        try
        {
            var text = EncodingOf(type?.CharSet).GetString(body);
            return text.Contains('\0', StringComparison.Ordinal) ? null : text.TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
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

    private static Encoding EncodingOf(string? charset)
    {
        var name = charset?.Trim('"', ' ').ToLowerInvariant();
        if (name is null or "" or "utf-8" or "utf8")
            return StrictUtf8;
        try
        {
            // Asked itself, the provider needs not be registered for the whole process.
            return CodePagesEncodingProvider.Instance.GetEncoding(name, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback)
                ?? Encoding.GetEncoding(name, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new CharsetException(name.Length <= 40 ? name : name[..40]);
        }
    }
}
