using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Millrace.Chaos.Kinds;

namespace Millrace.Chaos;

/// <summary>A start that was asked for.</summary>
/// <param name="Key">The key of its input.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Request">The number of the request that it came with; those of one request are there all or none.</param>
/// <param name="Id">The instance that the acknowledgement named; null where there was none, and the start may have been made or not.</param>
internal sealed record Start(string Key, Kind Kind, int Request, Guid? Id);

/// <summary>
/// Starts instances at a rate: single ones and batches, some under idempotency keys and again and again until they are
/// acknowledged, some without and only once. Then does to each what its kind is for.
/// </summary>
internal sealed class Load(Caller caller, Workload workload, StallWatch watch, ChaosOptions options)
{
    private const int LargestBatch = 40;
    private const int MostAtOnce = 10;

    // A machine that is too slow for the rate is not drowned in it: what counts is that all is kept, not how fast.
    private const int MostUnanswered = 64;
    private const int MostLive = 1500;

    private readonly ConcurrentBag<Task> pending = [];
    private readonly ConcurrentQueue<string> contradictions = [];
    private readonly Random random = options.Random("load");
    private int keys;
    private int requests;
    private int unanswered;

    /// <summary>What was started, by key.</summary>
    public ConcurrentDictionary<string, Start> Starts { get; } = new();

    /// <summary>Answers that should not have been given.</summary>
    public IReadOnlyCollection<string> Contradictions => contradictions;

    /// <summary>How many starts were acknowledged.</summary>
    public int Acknowledged => Starts.Values.Count(start => start.Id is not null);

    /// <summary>Starts until it is told to stop, then waits until all are acknowledged and done with.</summary>
    public async Task RunAsync(CancellationToken stop, CancellationToken cancel)
    {
        var begin = Stopwatch.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            if (Volatile.Read(ref unanswered) < MostUnanswered && watch.Live < MostLive)
                Begin(cancel);
            else
                await Task.Delay(50, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var ahead = TimeSpan.FromSeconds(keys / options.Rate) - Stopwatch.GetElapsedTime(begin);
            if (ahead > TimeSpan.Zero)
                await Task.Delay(ahead, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(pending);
    }

    private void Begin(CancellationToken cancel)
    {
        var isKeyed = random.Next(3) > 0;
        if (random.Next(3) > 0)
        {
            pending.Add(StartAsync(Choose(random.Next(1, LargestBatch), isKeyed), isBatch: true, isKeyed, cancel));
            return;
        }

        for (var count = random.Next(1, MostAtOnce); count > 0; count--)
            pending.Add(StartAsync(Choose(1, isKeyed), isBatch: false, isKeyed, cancel));
    }

    // Without a key a start may be made and its id not be known, so that nothing can be done to it.
    private List<Start> Choose(int count, bool isKeyed)
    {
        var request = requests++;
        return [.. Enumerable.Range(0, count).Select(_ => new Start($"k{keys++}", workload.Choose(random, mayBeDriven: isKeyed), request, null))];
    }

    private async Task StartAsync(List<Start> starts, bool isBatch, bool isKeyed, CancellationToken cancel)
    {
        foreach (var start in starts)
            Starts[start.Key] = start;
        var choices = options.Random("drive", starts[0].Request);
        var (path, body) = isBatch ? ("instances/batch", $"[{string.Join(',', starts.Select(start => Body(start, byName: true)))}]")
            : ("instances", Body(starts[0], byName: choices.Next(2) == 0));
        HttpRequestMessage Ask() => Caller.Post(path, body, isKeyed ? $"r{starts[0].Request}" : null);
        try
        {
            var answer = await AnswerAsync(Ask, isKeyed, cancel);
            if (answer is null)
                return;
            var ids = Ids(answer);
            foreach (var (start, id) in starts.Zip(ids))
                Starts[start.Key] = start with { Id = id };
            if (ids.Count != starts.Count)
                contradictions.Enqueue($"a request for {starts.Count} starts was answered with {ids.Count} ids: {answer}");
            await Task.WhenAll([
                RepeatAsync(Ask, ids, isKeyed && choices.Next(4) == 0, cancel),
                .. starts.Zip(ids, (start, id) => start.Kind.DriveAsync(caller, new(id, start.Key, new(choices.Next())), cancel))]);
        }
        catch (RefusedException e)
        {
            contradictions.Enqueue(e.Message);
        }
        catch (OperationCanceledException)
        {
            contradictions.Enqueue($"request {starts[0].Request} ({starts.Count} starts), or what was to be done to them, was not answered in the end");
        }
    }

    private async Task<string?> AnswerAsync(Func<HttpRequestMessage> ask, bool isKeyed, CancellationToken cancel)
    {
        Interlocked.Increment(ref unanswered);
        try
        {
            return isKeyed ? await caller.InsistAsync(ask, mayConflict: false, cancel) : await caller.TryAsync(ask, cancel);
        }
        finally
        {
            Interlocked.Decrement(ref unanswered);
        }
    }

    // A caller whose answer was lost asks once more, and must be told of the same instances.
    private async Task RepeatAsync(Func<HttpRequestMessage> ask, List<Guid> ids, bool isWanted, CancellationToken cancel)
    {
        if (isWanted && Ids(await caller.InsistAsync(ask, mayConflict: false, cancel)) is var again && !again.SequenceEqual(ids))
            contradictions.Enqueue($"the same key was answered with {string.Join(' ', ids)} and with {string.Join(' ', again)}");
    }

    private static List<Guid> Ids(string answer)
    {
        var root = JsonElement.Parse(answer);
        return root.TryGetProperty("ids", out var ids) ? [.. ids.EnumerateArray().Select(id => id.GetGuid())] : [root.GetProperty("id").GetGuid()];
    }

    private static string Body(Start start, bool byName)
    {
        var what = byName ? $"\"workflow\":\"{start.Kind.Name}\"" : $"\"definition\":{start.Kind.Definition}";
        return $$$"""{{{{what}}},"label":"chaos","input":{"key":"{{{start.Key}}}"}}""";
    }
}
