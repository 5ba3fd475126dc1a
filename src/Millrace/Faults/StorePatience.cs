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
    private readonly TimeSpan atMost;

    /// <summary>Made by the host.</summary>
    public StorePatience(Store.Database database, TimeProvider time, IOptions<MillraceOptions> options)
    {
        // Whoever is told that there is too much already must not ask for more.
        patience = new(time, fault => StoreFaults.IsPassing(fault) && fault is not Store.StoreBusyException, database.Suspect);
        atMost = options.Value.Store.FaultTimeout;
    }

    /// <summary>Asks until there is an answer or the time is up; then the last fault comes out.</summary>
    public Task<T> RideOutAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancel) =>
        patience.RideOutAsync(atMost, (_, token) => ask(token), cancel);

    /// <summary>Likewise; the question is told how often it has been asked before.</summary>
    public Task<T> RideOutAsync<T>(Func<int, CancellationToken, Task<T>> ask, CancellationToken cancel) =>
        patience.RideOutAsync(atMost, ask, cancel);
}
