using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Millrace.Chaos;

/// <summary>Starts instances at a rate, each under a key of its own and again and again until it is acknowledged.</summary>
internal sealed class Load(Fleet fleet, IReadOnlyList<Kind> kinds)
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(100);
    private readonly ConcurrentBag<Task> pending = [];
    private long resent;

    /// <summary>What was started: the key, its kind and the instance that the acknowledgement named.</summary>
    public ConcurrentDictionary<string, (Kind Kind, Guid Instance)> Acknowledged { get; } = new();

    public long Resent => Interlocked.Read(ref resent);

    /// <summary>Starts until it is told to stop, then waits until all are acknowledged.</summary>
    public async Task RunAsync(double rate, CancellationToken stop, CancellationToken cancel)
    {
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            pending.Add(StartAsync($"k{number}", kinds[number % kinds.Count], cancel));
            await Task.Delay(TimeSpan.FromSeconds(1 / rate), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(pending);
    }

    private async Task StartAsync(string key, Kind kind, CancellationToken cancel)
    {
        var body = $$$"""{"definition":{{{kind.Definition}}},"label":"chaos","input":{"key":"{{{key}}}"} }""";
        var answer = await InsistAsync("instances", body, key, cancel);
        var id = JsonElement.Parse(answer).GetProperty("id").GetGuid();
        Acknowledged[key] = (kind, id);
        if (kind.WaitsForSignal)
        {
            await Task.Delay(Random.Shared.Next(1500), cancel);
            await InsistAsync($"instances/{id}/signals/go", "{}", null, cancel);
        }
    }

    // A signal that was stored and not acknowledged comes twice: the instance takes one, and may have ended by then.
    private async Task<string> InsistAsync(string path, string body, string? key, CancellationToken cancel)
    {
        while (true)
        {
            var answer = await fleet.SendAsync(() => Request(path, body, key), cancel);
            if (answer is ({ } status, { } text) && (status is HttpStatusCode.OK or HttpStatusCode.Accepted || (key is null && status is HttpStatusCode.Conflict)))
                return text;
            if (answer is ({ } wrong, { } message) && (int)wrong is >= 400 and < 500)
                throw new InvalidOperationException($"{path} was answered with {wrong}: {message}");
            Interlocked.Increment(ref resent);
            await Task.Delay(BetweenTries, cancel);
        }
    }

    private static HttpRequestMessage Request(string path, string body, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return request;
    }
}
