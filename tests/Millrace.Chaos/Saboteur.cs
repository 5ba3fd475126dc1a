using System.Diagnostics;
using Millrace.Chaos.Sabotage;

namespace Millrace.Chaos;

/// <summary>Breaks things, each kind of fault at its own average pace with random pauses in between.</summary>
internal sealed class Saboteur(ChaosOptions options, IReadOnlyList<Fault> faults, Diary diary)
{
    /// <summary>What is broken, and how often it has been.</summary>
    public IReadOnlyList<Fault> Faults => faults;

    public Task RunAsync(CancellationToken stop) => Task.WhenAll(faults.Select(fault => OftenAsync(fault, stop)));

    /// <summary>Whether enough has been broken for a time; a slow machine needs longer for it.</summary>
    public bool HasDone(TimeSpan time) => faults.All(fault => fault.Count >= fault.Least(time));

    public override string ToString() => string.Join(", ", faults.Select(fault => $"{fault.GetType().Name} {fault.Count}"));

    // Evenly over the time, within half of the way to the neighbours: by chance alone there would be long lulls.
    private async Task OftenAsync(Fault fault, CancellationToken stop)
    {
        var random = options.Random(fault.GetType().Name);
        var period = TimeSpan.FromMinutes(1) / fault.PerMinute;
        var begin = Stopwatch.GetTimestamp();
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            var due = period * (number + 0.25 + (random.NextDouble() / 2));
            var wait = due - Stopwatch.GetElapsedTime(begin);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (stop.IsCancellationRequested)
                    return;
                await fault.DoAsync(random, stop);
                diary.Note($"{fault.Name}: {fault.Count}");
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
