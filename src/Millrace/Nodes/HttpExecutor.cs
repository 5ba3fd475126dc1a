using System.Net;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>Executes HTTP nodes: one pooled client for all of them, and words for what may go wrong.</summary>
internal sealed class HttpExecutor : IDisposable
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    private readonly HttpOptions settings;
    private readonly int maxBytes;
    private readonly TimeProvider time;
    private readonly HostGates gates;
    private readonly HttpMessageInvoker client;
    private readonly SocketsHttpHandler handler;

    public HttpExecutor(IOptions<MillraceOptions> options, TimeProvider time)
    {
        settings = options.Value.Http;
        maxBytes = options.Value.Limits.ResultBytes;
        this.time = time;
        gates = new(settings, time);
        handler = new()
        {
            // A proxy of the environment would make the connections, and the guard would guard nothing.
            UseProxy = false,
            UseCookies = false,
            // Its own way takes headers and bodies along to other origins.
            AllowAutoRedirect = false,
            // Its own way takes a part of a body for all of it.
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = ConnectLimit,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectCallback = new EgressGuard(settings.AllowPrivateNetworks).ConnectAsync,
        };
        client = new(handler);
    }

    public async Task<NodeEnd> ExecuteAsync(NodeContext context, ExecuteHttp command, CancellationToken cancel)
    {
        if ((MultipartBody.FaultIn(command.Parts) ?? HttpMessage.FaultIn(command.Headers)) is { } fault)
            return new NodeFailure(fault, "template", Retryable: false);
        var limit = command.Http.Timeout ?? settings.Timeout;
        var host = new Uri(command.Url).Authority;
        try
        {
            return await new HttpExchange(client, gates, maxBytes, time, context, command).RunAsync(limit, cancel);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            return e.InnerException is TimeoutException
                ? new NodeFailure($"the request to {host} failed: no connection within {ConnectLimit}", "connection")
                : new NodeFailure($"{host} did not answer within {limit}", "timeout");
        }
        catch (HeldBackException e)
        {
            return new NodeFailure(e.Message, e.Code) { IsHeldBack = true, RetryAfter = e.RetryAfter };
        }
        catch (RedirectException e)
        {
            return new NodeFailure(e.Message, "redirect", Retryable: false);
        }
        catch (HttpRequestException e) when (e.InnerException is EgressRefusedException refused)
        {
            return new NodeFailure(refused.Message, "egress", Retryable: false);
        }
        catch (BrokenOffException e)
        {
            return new NodeFailure(e.Message, "connection");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new NodeFailure($"the request to {host} failed: {e.GetBaseException().Message}", "connection");
        }
    }

    public void Dispose()
    {
        client.Dispose();
        handler.Dispose();
    }
}
