using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Nodes;
using Millrace.Pump;
using Millrace.Store;

namespace Millrace.Waking;

/// <summary>What a call has answered, and the tokens that go out with its answer.</summary>
/// <param name="Answer">The answer.</param>
/// <param name="Tokens">Messages for the wake queue.</param>
public sealed record WokenCall<T>(T Answer, string[] Tokens);

/// <summary>
/// Calls drains by tokens, and runs the drains that were called. Tokens only hasten: what becomes of one that cannot be
/// sent is found by the pump's schedule, so no call fails for it.
/// </summary>
public sealed class Waker
{
    // A call that ends sooner takes its tokens along.
    private static readonly TimeSpan CallsEnd = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    private readonly Drain drain;
    private readonly PumpSignal signal;
    private readonly IWakeSender queue;
    private readonly TimeProvider time;
    private readonly StoreClock clock;
    private readonly WakeOptions settings;
    private readonly WakePolicy policy;
    private readonly ILogger<Waker> log;

    internal Waker(Drain drain, PumpSignal signal, IWakeSender queue, StoreClock clock, TimeProvider time, IOptions<MillraceOptions> options, ILogger<Waker> log)
    {
        (this.drain, this.signal, this.queue, this.clock, this.time, this.log) = (drain, signal, queue, clock, time, log);
        settings = options.Value.Wake;
        policy = new(settings);
    }

    /// <summary>
    /// Runs a call that may make instances ready. One that ends soon has its tokens sent with its answer; one that goes on,
    /// as a start does that waits for its instance's end, has them sent meanwhile.
    /// </summary>
    public async Task<WokenCall<T>> CallAsync<T>(Func<Task<T>> call)
    {
        using var ended = new CancellationTokenSource();
        var sending = SendMeanwhileAsync(ended.Token);
        T answer;
        try
        {
            answer = await call();
        }
        finally
        {
            await ended.CancelAsync();
            await sending;
        }

        return new(answer, TakeTokens());
    }

    /// <summary>Answers a message of the wake queue; returns messages to send.</summary>
    public async Task<string[]> WakeAsync(string message, CancellationToken cancel)
    {
        if (WakeToken.Parse(message) is { } token)
        {
            lock (policy)
            {
                if (policy.IsSpent(token))
                    return [];
            }
        }

        return await DrainAsync(settings.Linger, isScheduled: false, cancel);
    }

    /// <summary>Looks for work that no token has told of; returns messages to send.</summary>
    public Task<string[]> PumpAsync(CancellationToken cancel) => DrainAsync(TimeSpan.Zero, isScheduled: true, cancel);

    private async Task<string[]> DrainAsync(TimeSpan linger, bool isScheduled, CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var calling = CallOthersAsync(ended.Token);
        DrainReport report;
        try
        {
            report = await drain.RunAsync(linger, cancel);
        }
        finally
        {
            await ended.CancelAsync();
            await calling;
        }

        IReadOnlyList<(WakeToken Token, TimeSpan Delay)> tokens;
        lock (policy)
            tokens = policy.AfterDrain(report, clock.Now, isScheduled);
        foreach (var (token, delay) in tokens.Where(token => token.Delay > TimeSpan.Zero))
            await SendAsync($"{token}", delay);
        return [.. tokens.Where(token => token.Delay <= TimeSpan.Zero).Select(token => $"{token.Token}")];
    }

    private async Task SendMeanwhileAsync(CancellationToken ended)
    {
        try
        {
            while (true)
            {
                await signal.WaitForArrivalsAsync(ended);
                await Task.Delay(CallsEnd, time, ended);
                await SendAllAsync();
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // What is left goes out with the answer.
        }
    }

    // A node that starts many children is worth other processes' help while it is still being run here.
    private async Task CallOthersAsync(CancellationToken ended)
    {
        try
        {
            while (true)
            {
                await Task.Delay(BetweenLooks, time, ended);
                if (signal.Arrivals >= settings.InstancesPerToken)
                    await SendAllAsync();
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The drain has ended.
        }
    }

    private async Task SendAllAsync()
    {
        foreach (var token in TakeTokens())
            await SendAsync(token, TimeSpan.Zero);
    }

    private string[] TakeTokens()
    {
        var ready = signal.TakeArrivals();
        if (ready == 0)
            return [];
        var now = clock.Now;
        lock (policy)
            return [.. Enumerable.Repeat($"{new WakeToken(WakeReason.Ready, now)}", policy.ForReady(ready, now))];
    }

    private async Task SendAsync(string token, TimeSpan delay)
    {
        try
        {
            using var limit = new StopSource(TimeSpan.FromSeconds(5), time);
            await queue.SendAsync(token, delay, limit.Token);
        }
        catch (Exception e)
        {
            log.TokenNotSent(e.Message);
        }
    }
}
