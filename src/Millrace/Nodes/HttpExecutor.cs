using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Values;
using Polly.CircuitBreaker;

namespace Millrace.Nodes;

/// <summary>Sends the request of an HTTP node and turns the response into its envelope.</summary>
internal sealed class HttpExecutor : IDisposable
{
    // .NET keeps these with the content, and refuses them elsewhere.
    private static readonly HashSet<string> ContentHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location", "Content-MD5", "Content-Range", "Content-Type",
        "Expires", "Last-Modified",
    };

    private readonly HttpOptions settings;
    private readonly int maxBytes;
    private readonly HostGates gates;
    private readonly HttpMessageInvoker client;
    private readonly SocketsHttpHandler handler;

    public HttpExecutor(IOptions<MillraceOptions> options, TimeProvider time)
    {
        settings = options.Value.Http;
        maxBytes = options.Value.Limits.ResultBytes;
        gates = new(settings, time);
        handler = new()
        {
            // A proxy of the environment would make the connections, and the guard would guard nothing.
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.All,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            MaxAutomaticRedirections = 5,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectCallback = new EgressGuard(settings.AllowPrivateNetworks).ConnectAsync,
        };
        client = new(handler);
    }

    public async Task<NodeEnd> ExecuteAsync(Guid instance, ExecuteHttp command, CancellationToken cancel)
    {
        if (MultipartBody.FaultIn(command.Parts) is { } fault)
            return new NodeFailure(fault, "template", Retryable: false);
        var address = new Uri(command.Url);
        var timeout = command.Http.Timeout ?? settings.Timeout;
        var gate = gates.For(address);
        await gate.Places.WaitAsync(cancel);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(timeout);
        try
        {
            return await SendAsync(gate, instance, command, address, limit.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new NodeFailure($"{address.Authority} did not answer within {timeout}", "timeout");
        }
        catch (BrokenCircuitException)
        {
            return new NodeFailure($"requests to {address.Authority} are held back for a while: nearly all of the last ones failed", "circuit_open");
        }
        catch (HttpRequestException e) when (e.InnerException is EgressRefusedException refused)
        {
            return new NodeFailure(refused.Message, "egress", Retryable: false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new NodeFailure($"the request to {address.Authority} failed: {e.GetBaseException().Message}", "connection");
        }
        finally
        {
            gate.Places.Release();
        }
    }

    public void Dispose()
    {
        client.Dispose();
        handler.Dispose();
    }

    private async Task<NodeEnd> SendAsync(HostGate gate, Guid instance, ExecuteHttp command, Uri address, CancellationToken cancel)
    {
        using var request = Request(instance, command, address);
        var clock = Stopwatch.StartNew();
        using var response = await gate.Breaker.ExecuteAsync(
            async token => await client.SendAsync(request, token), cancel);
        if (await ReadAsync(response, cancel) is not { } body)
            return new NodeFailure($"the response is larger than {maxBytes:N0} bytes", "result_too_large", Retryable: false);

        var text = BodyText.Of(response.Content.Headers.ContentType, body);
        return Unexpected(command, response, text) is { } failure
            ? failure
            : Envelope(response, body, text, clock.ElapsedMilliseconds) is { } envelope && envelope.Utf8.Length <= maxBytes
                ? envelope
                : new NodeFailure($"the response takes more than {maxBytes:N0} bytes as JSON", "result_too_large", Retryable: false);
    }

    private static HttpRequestMessage Request(Guid instance, ExecuteHttp command, Uri address)
    {
        var request = new HttpRequestMessage(new(command.Http.Method), address);
        if (command.Parts is not [])
        {
            request.Content = MultipartBody.Of(command.Parts);
        }
        else if (command.Body is { } body)
        {
            var isText = body.Element.ValueKind is JsonValueKind.String;
            request.Content = isText ? new StringContent(body.Element.GetString()!) : new ReadOnlyMemoryContent(body.Utf8);
            request.Content.Headers.ContentType = isText
                ? new MediaTypeHeaderValue("text/plain", "utf-8")
                : new MediaTypeHeaderValue("application/json");
        }

        request.Headers.UserAgent.Add(new("Millrace", "0.1"));
        foreach (var (name, value) in command.Headers)
            SetHeader(request, name, value);
        if (!request.Headers.Contains("Idempotency-Key"))
            request.Headers.Add("Idempotency-Key", NodeContext.EffectOf(instance, command.Key).ToString());
        return request;
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

    private async Task<byte[]?> ReadAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancel);
        using var body = new MemoryStream();
        var buffer = new byte[16 << 10];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancel)) > 0)
        {
            if (body.Length + read > maxBytes)
                return null;
            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    private static NodeFailure? Unexpected(ExecuteHttp command, HttpResponseMessage response, string? text)
    {
        var status = (int)response.StatusCode;
        var code = status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var expected = command.Http.Expect?.Statuses ?? [];
        if (expected is [] ? status >= 500 : !expected.Contains(status))
        {
            var wanted = expected is [] ? "" : $"; expected {string.Join(" or ", expected)}";
            return new($"{command.Http.Method} {new Uri(command.Url).Authority} answered {status} {response.ReasonPhrase}{wanted}", code);
        }

        return command.BodyContains is { } wantedText && text?.Contains(wantedText, StringComparison.Ordinal) is not true
            ? new($"{command.Http.Method} {new Uri(command.Url).Authority} answered {status}, but the body does not contain the expected text", code)
            : null;
    }

    private static Json Envelope(HttpResponseMessage response, byte[] body, string? text, long milliseconds) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("status", (int)response.StatusCode);
        writer.WriteBoolean("ok", response.IsSuccessStatusCode);
        writer.WriteStartObject("headers");
        foreach (var header in response.Headers.Concat(response.Content.Headers).OrderBy(header => header.Key, StringComparer.Ordinal))
            writer.WriteString(header.Key.ToLowerInvariant(), BodyText.WithoutNul(string.Join(", ", header.Value)));
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
