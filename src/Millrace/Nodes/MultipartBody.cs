using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>A <c>multipart/form-data</c> body (RFC 7578).</summary>
internal static class MultipartBody
{
    public static MultipartContent Of(ImmutableArray<RequestPart> parts)
    {
        // The platform's own form content leaves a name without quotes, in which a semicolon would begin another parameter.
        var body = new MultipartContent("form-data") { HeaderEncodingSelector = (_, _) => Encoding.UTF8 };
        foreach (var part in parts)
        {
            var content = ContentOf(part);
            var fileName = part.FileName is { } file ? $"; filename=\"{Quotable(file)}\"" : "";
            content.Headers.TryAddWithoutValidation("Content-Disposition", $"form-data; name=\"{Quotable(part.Name)}\"{fileName}");
            body.Add(content);
        }

        return body;
    }

    /// <summary>What is wrong with parts whose templates have been filled in; null where nothing is.</summary>
    public static string? FaultIn(ImmutableArray<RequestPart> parts)
    {
        foreach (var part in parts.Where(part => part.Part.IsBase64))
        {
            if (part.Content.Element.ValueKind is not JsonValueKind.String || !part.Content.Element.TryGetBytesFromBase64(out _))
                return $"the content of part \"{part.Name}\" is not base64";
        }

        return null;
    }

    private static ByteArrayContent ContentOf(RequestPart part)
    {
        var value = part.Content.Element;
        var isText = value.ValueKind is JsonValueKind.String;
        var bytes = part.Part.IsBase64 ? value.GetBytesFromBase64() : isText ? Encoding.UTF8.GetBytes(value.GetString()!) : part.Content.Utf8.ToArray();
        var type = part.Part.ContentType ?? (part.Part.IsBase64 ? "application/octet-stream" : isText ? "text/plain; charset=utf-8" : "application/json");
        return new(bytes) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };
    }

    // Names stand in a header: a template must not be able to end it. RFC 7578 leaves quotes to percent-encoding, as forms
    // in browsers do.
    private static string Quotable(string name) =>
        name.Replace("\r", "%0D", StringComparison.Ordinal).Replace("\n", "%0A", StringComparison.Ordinal).Replace("\"", "%22", StringComparison.Ordinal);
}
