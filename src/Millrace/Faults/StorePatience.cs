using Microsoft.Extensions.Options;
using Millrace.Configuration;

namespace Millrace.Faults;

/// <summary>
/// Rides out, for a request of the API, a store that restarts or has cut its connections, for as long as
/// <see cref="StoreOptions.FaultTimeout"/>. Only for what may be asked twice.
/// </summary>
public sealed class StorePatience
{
    private readonly Patience patience;
    private readonly TimeProvider time;
    private readonly TimeSpan atMost;

    /// <summary>Made by the host.</summary>
    public StorePatience(Store.Database database, TimeProvider time, IOptions<MillraceOptions> options)
    {
        // Whoever is told that there is too much already must not ask for more.
        patience = new(time, IsRiddenOut, database.Suspect);
        this.time = time;
        atMost = options.Value.Store.FaultTimeout;
    }

    /// <summary>Asks until there is an answer or the time is up; then the last fault comes out.</summary>
    public Task<T> RideOutAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancel) =>
        patience.RideOutAsync(atMost, (_, token) => ask(token), cancel);

    /// <summary>Likewise; the question is told how often it has been asked before.</summary>
    public Task<T> RideOutAsync<T>(Func<int, CancellationToken, Task<T>> ask, CancellationToken cancel) =>
        patience.RideOutAsync(atMost, ask, cancel);

    /// <summary>Begins a spell of patience for several questions that belong together.</summary>
    internal PatientSpell Begin() => new(patience, time, atMost);

    internal static bool IsRiddenOut(Exception fault) => StoreFaults.IsPassing(fault) && fault is not Store.StoreBusyException;
}

/// <summary>
/// Rides out the faults of several questions together, for as long as those of one: a store that is away is not waited for
/// again by each transaction of a flush.
/// </summary>
internal sealed class PatientSpell(Patience patience, TimeProvider time, TimeSpan atMost)
{
    private long? firstFault;

    /// <summary>Asks until there is an answer or the spell is over; then the last fault comes out.</summary>
    public Task<T> RideOutAsync<T>(Func<int, CancellationToken, Task<T>> ask, CancellationToken cancel) =>
        patience.RideOutAsync(Left, (before, token) => AskAsync(ask, before, token), cancel);

    private TimeSpan Left => firstFault is not { } at ? atMost : TimeSpan.FromTicks(Math.Max(0, (atMost - time.GetElapsedTime(at)).Ticks));

    private async Task<T> AskAsync<T>(Func<int, CancellationToken, Task<T>> ask, int before, CancellationToken cancel)
    {
        try
        {
            return await ask(before, cancel);
        }
        catch (Exception e) when (StorePatience.IsRiddenOut(e))
        {
            firstFault ??= time.GetTimestamp();
            throw;
        }
    }
}
