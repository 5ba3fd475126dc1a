using System.Runtime.ExceptionServices;
using Polly;
using Polly.Retry;

namespace Millrace.Faults;

/// <summary>
/// Rides out faults that pass by themselves: the same thing is tried again after pauses that grow to two seconds, with
/// jitter, until it succeeds, fails for another reason, or the faults have lasted too long.
/// </summary>
internal sealed class Patience
{
    private static readonly ResiliencePropertyKey<Attempts> Key = new("millrace.attempts");
    private readonly ResiliencePipeline pipeline;
    private readonly TimeProvider time;
    private readonly Func<Exception, bool> isPassing;

    /// <param name="time">Measures how long faults last.</param>
    /// <param name="isPassing">Which faults are ridden out.</param>
    /// <param name="onFault">Told of each, before the next try.</param>
    public Patience(TimeProvider time, Func<Exception, bool> isPassing, Action<Exception>? onFault = null)
    {
        (this.time, this.isPassing) = (time, isPassing);
        pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = outcome => new(outcome.Outcome.Exception is { } fault && isPassing(fault) && IsInTime(outcome.Context)),
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(50),
                MaxDelay = TimeSpan.FromSeconds(2),
                OnRetry = retry =>
                {
                    onFault?.Invoke(retry.Outcome.Exception!);
                    return default;
                },
            })
            .Build();
    }

    /// <summary>Tries until it succeeds or the patience ends; then the last fault comes out.</summary>
    /// <param name="atMost">How long faults may last, from the first one on.</param>
    /// <param name="attempt">What is tried; it is told how many tries there were before.</param>
    /// <param name="cancel">Gives up at once.</param>
    public async Task<T> RideOutAsync<T>(TimeSpan atMost, Func<int, CancellationToken, Task<T>> attempt, CancellationToken cancel)
    {
        ExceptionDispatchInfo fault;
        try
        {
            // Nearly always that is all, and then it costs nothing more.
            return await attempt(0, cancel);
        }
        catch (Exception e) when (isPassing(e))
        {
            fault = ExceptionDispatchInfo.Capture(e);
        }

        return await RetryAsync(new(atMost, fault), attempt, cancel);
    }

    private async Task<T> RetryAsync<T>(Attempts attempts, Func<int, CancellationToken, Task<T>> attempt, CancellationToken cancel)
    {
        var context = ResilienceContextPool.Shared.Get(cancel);
        context.Properties.Set(Key, attempts);
        try
        {
            return await pipeline.ExecuteAsync(
                static async (context, attempt) =>
                {
                    var attempts = context.Properties.GetValue(Key, null!);
                    // The first try has been made; its fault is where the pauses begin.
                    if (attempts.Count++ == 0)
                        attempts.First.Throw();
                    return await attempt(attempts.Count - 1, context.CancellationToken);
                },
                context,
                attempt);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private bool IsInTime(ResilienceContext context)
    {
        var attempts = context.Properties.GetValue(Key, null!);
        attempts.FirstFault ??= time.GetTimestamp();
        return attempts.AtMost == Timeout.InfiniteTimeSpan || time.GetElapsedTime(attempts.FirstFault.Value) < attempts.AtMost;
    }

    private sealed class Attempts(TimeSpan atMost, ExceptionDispatchInfo first)
    {
        public TimeSpan AtMost => atMost;

        public ExceptionDispatchInfo First => first;

        public int Count { get; set; }

        public long? FirstFault { get; set; }
    }
}
