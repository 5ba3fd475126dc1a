using System.Net.Http.Headers;
using System.Text.Json;
using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>Makes the message of a request.</summary>
internal static class HttpMessage
{
    // .NET keeps these with the content, and refuses them elsewhere.
    private static readonly HashSet<string> ContentHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location", "Content-MD5", "Content-Range", "Content-Type",
        "Expires", "Last-Modified",
    };

    public static HttpRequestMessage Of(Guid instance, ExecuteHttp command, HttpHop hop)
    {
        var request = new HttpRequestMessage(new(hop.Method), hop.Address) { Content = hop.HasBody ? ContentOf(command) : null };
        request.Headers.UserAgent.Add(new("Millrace", "0.1"));
        if (hop.IsOwnOrigin)
            SetHeaders(request, instance, command);
        if (!request.Headers.Contains("Accept-Encoding"))
            request.Headers.TryAddWithoutValidation("Accept-Encoding", ContentCodings.Known);
        return request;
    }

    /// <summary>What is wrong with headers whose templates have been filled in; null where nothing is. (RFC 9110 §5.5)</summary>
    public static string? FaultIn(IEnumerable<KeyValuePair<string, string>> headers)
    {
        foreach (var (name, value) in headers)
        {
            if (value.AsSpan().IndexOfAnyExceptInRange(' ', '~') is >= 0 and var at && value.ReplaceLineEndings(" ").Any(letter => letter is not '\t' and (< ' ' or > '~')))
                return $"the value of the header \"{name}\" has a character at {at + 1} that headers cannot carry: only printable ASCII; encode it, as percent-encoding or base64 do";
        }

        return null;
    }

    private static HttpContent ContentOf(ExecuteHttp command)
    {
        if (command.Parts is not [])
            return MultipartBody.Of(command.Parts);
        var body = command.Body!;
        var isText = body.Element.ValueKind is JsonValueKind.String;
        HttpContent content = isText ? new StringContent(body.Element.GetString()!) : new ReadOnlyMemoryContent(body.Utf8);
        content.Headers.ContentType = isText ? new MediaTypeHeaderValue("text/plain", "utf-8") : new MediaTypeHeaderValue("application/json");
        return content;
    }

    private static void SetHeaders(HttpRequestMessage request, Guid instance, ExecuteHttp command)
    {
        foreach (var (name, value) in command.Headers)
            SetHeader(request, name, value);
        if (!request.Headers.Contains("Idempotency-Key"))
            request.Headers.Add("Idempotency-Key", NodeContext.EffectOf(instance, command.Key).ToString());
    }

    private static void SetHeader(HttpRequestMessage request, string name, string value)
    {
        // A template may have brought in what the definition could not contain.
        var clean = value.ReplaceLineEndings(" ");
        if (!ContentHeaders.Contains(name))
        {
            request.Headers.Remove(name);
            request.Headers.TryAddWithoutValidation(name, clean);
        }
        else if (request.Content is { } content)
        {
            content.Headers.Remove(name);
            content.Headers.TryAddWithoutValidation(name, clean);
        }
    }
}
