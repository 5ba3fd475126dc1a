using System.Net;
using System.Text;
using System.Text.Json;
using Millrace.Execution;

namespace Millrace.Chaos;

/// <summary>Asks any server for something, again and again until it is answered, as callers do who must have it.</summary>
/// <param name="fleet">The servers.</param>
/// <param name="store">The database, for what is mended there.</param>
internal sealed class Caller(Fleet fleet, string store)
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(100);
    private long resent;

    /// <summary>Requests that had to be sent again.</summary>
    public long Resent => Interlocked.Read(ref resent);

    /// <summary>Sends a request until it is answered with success, or with a refusal that the caller knows how to take.</summary>
    public async Task<string> InsistAsync(Func<HttpRequestMessage> request, bool mayConflict, CancellationToken cancel)
    {
        while (true)
        {
            var answer = await fleet.SendAsync(request, cancel);
            if (answer is ({ } status, { } text) && ((int)status < 300 || (mayConflict && status is HttpStatusCode.Conflict)))
                return text;
            Refuse(request, answer);
            Interlocked.Increment(ref resent);
            await Task.Delay(BetweenTries, cancel);
        }
    }

    /// <summary>Sends a request once; null where nobody knows what became of it.</summary>
    public async Task<string?> TryAsync(Func<HttpRequestMessage> request, CancellationToken cancel)
    {
        var answer = await fleet.SendAsync(request, cancel);
        Refuse(request, answer);
        return answer is ({ } status, { } text) && (int)status < 300 ? text : null;
    }

    /// <summary>
    /// Signals, cancels, suspends, resumes or retries an instance. A request that was carried out and not answered is
    /// sent once more, so it may meet an instance that has gone on since.
    /// </summary>
    public Task AskAsync(Guid id, string what, CancellationToken cancel) => InsistAsync(() => Post($"instances/{id}/{what}", "{}", null), mayConflict: true, cancel);

    /// <summary>Waits until an instance has ended.</summary>
    public async Task EndAsync(Guid id, CancellationToken cancel)
    {
        while (true)
        {
            var answer = await InsistAsync(() => new(HttpMethod.Get, $"instances/{id}?wait=5s"), mayConflict: false, cancel);
            if (StatusNames.InstanceStatusOf(JsonElement.Parse(answer).GetProperty("status").GetString()) is { } status && status.IsEnd())
                return;
        }
    }

    /// <summary>Mends what keeps the instance of a key from completing.</summary>
    public Task MendAsync(string key, CancellationToken cancel) =>
        Direct.InsistAsync(store, $"INSERT INTO gate VALUES ('{key}') ON CONFLICT DO NOTHING", cancel);

    // A server that is stopped, or whose store is away, says so with 502 to 504; 500 would be an error that nobody expected.
    private static void Refuse(Func<HttpRequestMessage> request, (HttpStatusCode Status, string Text)? answer)
    {
        if (answer is ({ } wrong, { } message) && (int)wrong is >= 400 and <= 500)
            throw new RefusedException($"{request().RequestUri} was answered with {wrong}: {message}");
    }

    public static HttpRequestMessage Post(string path, string body, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return request;
    }
}

/// <summary>A request was refused that should have been taken.</summary>
internal sealed class RefusedException(string message) : Exception(message);
