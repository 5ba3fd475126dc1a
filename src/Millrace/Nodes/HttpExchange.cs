using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>A request could not be sent yet: its host is held back, or all places there are taken.</summary>
internal sealed class HeldBackException(string message, string code, TimeSpan? retryAfter = null) : Exception(message)
{
    public string Code => code;

    public TimeSpan? RetryAfter => retryAfter;
}

/// <summary>The requests of one execution: the node's own, and those to which redirects lead.</summary>
/// <param name="client">Sends them.</param>
/// <param name="gates">What stands before each of them.</param>
/// <param name="maxBytes">How large a response may be.</param>
/// <param name="time">The clock.</param>
/// <param name="context">For whom.</param>
/// <param name="command">What to send.</param>
internal sealed class HttpExchange(
    HttpMessageInvoker client, HostGates gates, int maxBytes, TimeProvider time, NodeContext context, ExecuteHttp command)
{
    private readonly long begun = time.GetTimestamp();

    /// <summary>Sends the request, and follows redirects.</summary>
    /// <param name="limit">The longest that it may take, and that it may wait for a place.</param>
    /// <param name="cancel">Nobody waits for it any more.</param>
    public async Task<NodeEnd> RunAsync(TimeSpan limit, CancellationToken cancel)
    {
        var hop = HttpHop.First(command);
        var left = command.Http.Redirects;
        // Redirects have no time of their own.
        StopSource? stop = null;
        try
        {
            while (true)
            {
                var gate = gates.For(hop.Address);
                CheckCircuit(gate, hop);
                using var place = await EnterAsync(gate, hop, limit, cancel);
                var turn = CheckCircuit(gate, hop);
                if (stop is null)
                {
                    stop = new(time, cancel);
                    stop.StopAfter(limit);
                }

                var (end, next) = await CountedAsync(gate, turn, () => SendAsync(hop, left, stop.Token), cancel);
                if (end is { } over)
                    return over;
                (hop, left) = (next!, left - 1);
            }
        }
        catch (HeldBackException e) when (left < command.Http.Redirects)
        {
            // The node's own request was sent, so that the attempt counts.
            return new NodeFailure(e.Message, e.Code) { RetryAfter = e.RetryAfter };
        }
        finally
        {
            stop?.Dispose();
        }
    }

    // A host whose places are all taken for so long is busy with others' requests; that is no failure of this one.
    private async Task<IDisposable> EnterAsync(HostGate gate, HttpHop hop, TimeSpan limit, CancellationToken cancel)
    {
        using var waiting = new StopSource(time, cancel);
        waiting.StopAfter(limit);
        try
        {
            return await gate.EnterAsync(context, waiting.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new HeldBackException($"the requests to {hop.Address.Authority} that are under way have left no place for another one within {limit}", "host_busy");
        }
    }

    private static int CheckCircuit(HostGate gate, HttpHop hop) => gate.Breaker.Ask() switch
    {
        (_, { } heldFor) => throw new HeldBackException(
            $"requests to {hop.Address.Authority} are held back for a while: nearly all of the last ones failed", "circuit_open", heldFor),
        (var turn, _) => turn,
    };

    private static async Task<(NodeEnd? End, HttpHop? Next)> CountedAsync(
        HostGate gate, int turn, Func<Task<((NodeEnd? End, HttpHop? Next) Outcome, bool WasAnswered)>> send, CancellationToken cancel)
    {
        try
        {
            var (outcome, wasAnswered) = await send();
            gate.Breaker.Report(turn, wasAnswered);
            return outcome;
        }
        catch (Exception e) when (IsFailureOfHost(e, cancel))
        {
            gate.Breaker.Report(turn, wasAnswered: false);
            throw;
        }
    }

    // What was given up from outside, or refused by this side, says nothing about the host.
    private static bool IsFailureOfHost(Exception e, CancellationToken cancel) =>
        e is IOException or HttpRequestException { InnerException: not EgressRefusedException } or OperationCanceledException
        && !cancel.IsCancellationRequested;

    private async Task<((NodeEnd? End, HttpHop? Next) Outcome, bool WasAnswered)> SendAsync(HttpHop hop, int left, CancellationToken cancel)
    {
        using var request = HttpMessage.Of(context.Instance, command, hop);
        using var response = await client.SendAsync(request, cancel);
        if (command.Http.Redirects > 0 && HttpHop.LocationOf(response) is { } location)
        {
            if (left == 0)
                throw new RedirectException($"{new Uri(command.Url).Authority} redirects more than {command.Http.Redirects} times");
            return ((null, hop.Follow(response.StatusCode, location)), true);
        }

        var end = await new HttpAnswer(command, hop, response, maxBytes)
            .ReadAsync(() => (long)time.GetElapsedTime(begun).TotalMilliseconds, time.GetUtcNow(), cancel);
        return ((end, null), (int)response.StatusCode < 500);
    }
}
