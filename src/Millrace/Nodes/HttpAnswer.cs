using System.Globalization;
using System.Net.Http.Headers;
using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Nodes;

/// <summary>A response ended before its end.</summary>
internal sealed class BrokenOffException(string message, Exception inner) : IOException(message, inner);

/// <summary>Turns a response into the node's result, or into its failure.</summary>
/// <param name="command">What was asked for.</param>
/// <param name="hop">The request that was answered.</param>
/// <param name="response">The answer; its body has not been read.</param>
/// <param name="maxBytes">How large a body and a result may be.</param>
internal sealed class HttpAnswer(ExecuteHttp command, HttpHop hop, HttpResponseMessage response, int maxBytes)
{
    // Nobody is kept waiting for longer because of a header, whatever it says.
    private static readonly TimeSpan MostRetryAfter = TimeSpan.FromDays(1);

    private readonly int status = (int)response.StatusCode;

    /// <summary>Reads the answer to its end.</summary>
    /// <param name="clock">Tells how many milliseconds it took.</param>
    /// <param name="now">The time, for a <c>Retry-After</c> that is a date.</param>
    /// <param name="cancel">Stops reading.</param>
    public async Task<NodeEnd> ReadAsync(Func<long> clock, DateTimeOffset now, CancellationToken cancel)
    {
        if (UnexpectedStatus(now) is { } unexpected)
            return unexpected;
        if (await BytesAsync(cancel) is not { } raw)
            return TooLarge("is larger than");

        try
        {
            var body = ContentCodings.Decode(Codings, raw, maxBytes);
            if (body?.Length > maxBytes)
                return TooLarge("is larger than");
            // What is still coded is no text.
            var text = body is null ? null : BodyText.Of(response.Content.Headers.ContentType, body);
            if (command.BodyContains is { } wanted && text?.Contains(wanted, StringComparison.Ordinal) is not true)
                return Failure($"{Subject} answered {status}, but the body does not contain the expected text");
            var envelope = Envelope(body ?? raw, text, isDecoded: body is not null, clock());
            return envelope.Utf8.Length <= maxBytes ? envelope : TooLarge("takes, as JSON, more than");
        }
        catch (InvalidDataException e)
        {
            return new NodeFailure(
                $"the response of {hop.Address.Authority} is not what its Content-Encoding, {string.Join(", ", Codings)}, says: {e.Message}",
                "encoding");
        }
        catch (CharsetException e)
        {
            return new NodeFailure(e.Message, "charset", Retryable: false);
        }
    }

    // As they came: what is no token would be missing among the parsed ones, and its body taken for text.
    private string[] Codings => response.Content.Headers.NonValidated.TryGetValues("Content-Encoding", out var values)
        ? string.Join(',', values).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        : [];

    private string Subject => $"{hop.Method} {hop.Address.Authority}";

    private NodeFailure? UnexpectedStatus(DateTimeOffset now)
    {
        var expected = command.Http.Expect?.Statuses ?? [];
        if (expected is [] ? status < 500 : expected.Contains(status))
            return null;
        var wanted = expected is [] ? "" : $"; expected {string.Join(" or ", expected)}";
        return Failure($"{Subject} answered {status} {response.ReasonPhrase}{wanted}") with { RetryAfter = RetryAfter(response.Headers, now) };
    }

    private NodeFailure Failure(string message) => new(message, status.ToString(CultureInfo.InvariantCulture));

    private NodeFailure TooLarge(string how) => new($"the response {how} {maxBytes:N0} bytes", "result_too_large", Retryable: false);

    // A date is meant by the clock of whoever sent it.
    private static TimeSpan? RetryAfter(HttpResponseHeaders headers, DateTimeOffset now)
    {
        var wait = headers.RetryAfter?.Delta ?? (headers.RetryAfter?.Date - (headers.Date ?? now));
        // RFC 9110 sets no limit to the seconds; the platform's reader does.
        if (wait is null && headers.NonValidated.TryGetValues("Retry-After", out var raw) && $"{raw}" is [_, ..] text && text.All(char.IsAsciiDigit))
            wait = text.All(digit => digit is '0') ? null : MostRetryAfter;
        return wait is not { } given || given <= TimeSpan.Zero ? null : given < MostRetryAfter ? given : MostRetryAfter;
    }

    private async Task<byte[]?> BytesAsync(CancellationToken cancel)
    {
        using var body = new MemoryStream();
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancel);
            var buffer = new byte[16 << 10];
            int read;
            while ((read = await stream.ReadAsync(buffer, cancel)) > 0)
            {
                if (body.Length + read > maxBytes)
                    return null;
                body.Write(buffer, 0, read);
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new BrokenOffException($"the response of {hop.Address.Authority} broke off after {body.Length:N0} bytes: {e.GetBaseException().Message}", e);
        }

        return body.ToArray();
    }

    private Json Envelope(byte[] body, string? text, bool isDecoded, long milliseconds) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("status", status);
        writer.WriteBoolean("ok", response.IsSuccessStatusCode);
        writer.WriteStartObject("headers");
        var isCoded = Codings.Length > 0;
        foreach (var header in response.Headers.Concat(response.Content.Headers).OrderBy(header => header.Key, StringComparer.Ordinal))
        {
            // These two spoke of the body before it was decoded.
            if (!isCoded || !isDecoded || header.Key is not ("Content-Encoding" or "Content-Length"))
                writer.WriteString(header.Key.ToLowerInvariant(), BodyText.WithoutNul(string.Join(", ", header.Value)));
        }

        writer.WriteEndObject();
        if (text is null)
            writer.WriteBase64String("body", body);
        else
            writer.WriteString("body", text);
        writer.WriteString("encoding", text is null ? "base64" : "text");
        writer.WriteNumber("duration_ms", milliseconds);
        writer.WriteEndObject();
    });
}
