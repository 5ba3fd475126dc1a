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

    /// <param name="time">Measures how long faults last.</param>
    /// <param name="isPassing">Which faults are ridden out.</param>
    /// <param name="onFault">Told of each, before the next try.</param>
    public Patience(TimeProvider time, Func<Exception, bool> isPassing, Action<Exception>? onFault = null)
    {
        this.time = time;
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
        var context = ResilienceContextPool.Shared.Get(cancel);
        var attempts = new Attempts(atMost);
        context.Properties.Set(Key, attempts);
        try
        {
            return await pipeline.ExecuteAsync(
                static async (context, attempt) => await attempt(context.Properties.GetValue(Key, null!).Count++, context.CancellationToken), context, attempt);
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

    private sealed class Attempts(TimeSpan atMost)
    {
        public TimeSpan AtMost => atMost;

        public int Count { get; set; }

        public long? FirstFault { get; set; }
    }
}
