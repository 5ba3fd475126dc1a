using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Millrace.Values;

namespace Millrace.Api;

/// <summary>Reads bodies: the right content type, within the size, and through <see cref="JsonDoor"/>.</summary>
internal static class BodyReader
{
    public const string JsonType = "application/json";
    public const string NdjsonType = "application/x-ndjson";

    /// <summary>The body as JSON.</summary>
    public static async Task<JsonElement> JsonAsync(HttpRequest request, int maxBytes, CancellationToken cancel)
    {
        RequireType(request, JsonType);
        var body = await BytesAsync(request, maxBytes, cancel);
        if (body.IsEmpty)
            throw ProblemException.BadRequest("The body is empty; this call takes JSON.");
        return Parse(body);
    }

    /// <summary>The body as JSON; null for an empty one, whatever its content type.</summary>
    public static async Task<JsonElement?> OptionalJsonAsync(HttpRequest request, int maxBytes, CancellationToken cancel)
    {
        var body = await BytesAsync(request, maxBytes, cancel);
        if (body.IsEmpty)
            return null;
        RequireType(request, JsonType);
        return Parse(body);
    }

    /// <summary>Parses a document from outside.</summary>
    public static JsonElement Parse(ReadOnlyMemory<byte> body)
    {
        if (JsonDoor.TryRead(body, out var root, out var malformed, out var faults))
            return root;
        throw malformed is null ? new ProblemException(faults) : ProblemException.BadRequest(malformed);
    }

    /// <summary>The media type that was sent, if it is one of those allowed.</summary>
    public static string RequireType(HttpRequest request, params ReadOnlySpan<string> allowed)
    {
        // As nearly everybody sends it.
        if (allowed.Contains(request.ContentType))
            return request.ContentType!;
        if (MediaTypeHeaderValue.TryParse(request.ContentType, out var type))
        {
            var isUtf8 = !type.Charset.HasValue || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
                || type.Charset.Equals("\"utf-8\"", StringComparison.OrdinalIgnoreCase);
            foreach (var candidate in allowed)
            {
                if (isUtf8 && type.MediaType.Equals(candidate, StringComparison.OrdinalIgnoreCase))
                    return candidate;
            }
        }

        throw new ProblemException(StatusCodes.Status415UnsupportedMediaType, "Unsupported media type",
            $"This call takes {string.Join(" or ", allowed.ToArray())} in UTF-8; send a Content-Type header that says so.");
    }

    /// <summary>The body's bytes.</summary>
    public static async Task<ReadOnlyMemory<byte>> BytesAsync(HttpRequest request, int maxBytes, CancellationToken cancel)
    {
        if (request.ContentLength > maxBytes)
            throw TooLarge(maxBytes);
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
            feature.MaxRequestBodySize = maxBytes + 1L;

        while (true)
        {
            var read = await request.BodyReader.ReadAsync(cancel);
            if (read.Buffer.Length > maxBytes)
                throw TooLarge(maxBytes);
            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static ProblemException TooLarge(int maxBytes) =>
        new(StatusCodes.Status413PayloadTooLarge, "Too large", $"The body is larger than {maxBytes:N0} bytes.");
}
