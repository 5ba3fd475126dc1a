using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Millrace.Chaos;

/// <summary>The server processes. Places stay; whoever is killed is followed by a new process at the same place.</summary>
/// <param name="size">How many places there are.</param>
/// <param name="start">Starts a process at a place.</param>
/// <param name="key">The API key.</param>
/// <param name="logs">Takes what the processes have written.</param>
internal sealed class Fleet(int size, Func<int, ServerProcess> start, string key, ServerLogs logs) : IAsyncDisposable
{
    private const int MostStarts = 5;
    private readonly Member?[] members = new Member?[size];
    private readonly System.Collections.Concurrent.ConcurrentBag<Task> starting = [];
    private readonly Lock gate = new();
    private bool isReserved;

    /// <summary>Starts them all, and waits until they serve.</summary>
    public Task StartAsync() => Task.WhenAll(Enumerable.Range(0, size).Select(StartAsync));

    /// <summary>
    /// Kills one that runs, and starts the next at its place. One that is paused is left to wake, and one is always left
    /// that can take over: what nobody is there for stands still by right. Waits until there is one to spare.
    /// </summary>
    public Task KillAsync(Random random, CancellationToken cancel) => EndOneAsync(random, (_, process) => process.KillAsync(), cancel);

    /// <summary>Asks one to end, as a deployment does, and starts the next at its place once it has. Waits until there is one to spare.</summary>
    public Task ReplaceAsync(Random random, CancellationToken cancel) => EndOneAsync(random, TerminateAsync, cancel);

    /// <summary>Stops one for a while, and lets it go on. Waits until there is one to spare.</summary>
    public async Task PauseAsync(TimeSpan pause, Random random, CancellationToken cancel)
    {
        Member? member;
        while (!TryPause(random, out member))
            await Task.Delay(50, cancel);
        await PauseAsync([member], pause);
    }

    /// <summary>Stops all of them at once, as soon as all are there, and lets them go on.</summary>
    public async Task PauseAllAsync(TimeSpan pause, WorkingTime time, CancellationToken cancel)
    {
        try
        {
            Member[]? all;
            while (!TryPauseAll(out all))
                await Task.Delay(50, cancel);
            using (time.Stop())
                await PauseAsync(all, pause);
        }
        finally
        {
            lock (gate)
                isReserved = false;
        }
    }

    /// <summary>Sends a request to one that should be there, chosen at random; null where there was no answer.</summary>
    public async Task<(HttpStatusCode Status, string Text)?> SendAsync(Func<HttpRequestMessage> request, CancellationToken cancel)
    {
        Member? member;
        lock (gate)
            member = members.Where(member => member is not null).OrderBy(_ => Random.Shared.Next()).FirstOrDefault();
        if (member is null)
            return null;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(TimeSpan.FromSeconds(20));
            using var message = request();
            using var response = await member.Client.SendAsync(message, limit.Token);
            return (response.StatusCode, await response.Content.ReadAsStringAsync(limit.Token));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ObjectDisposedException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Waits until there is a process at every place.</summary>
    /// <exception cref="InvalidOperationException">One does not start.</exception>
    public async Task WholeAsync(CancellationToken cancel)
    {
        while (members.Any(member => member is null))
        {
            await Task.WhenAll(starting.Where(start => start.IsFaulted));
            await Task.Delay(50, cancel);
        }
    }

    /// <summary>Kills them all, so that nothing changes any more.</summary>
    public async Task EndAsync()
    {
        for (var place = 0; place < size; place++)
        {
            if (members[place] is not { } member)
                continue;
            logs.NoteIfEnded(place, member.Process);
            await member.Process.KillAsync();
            logs.Keep(place, member.Process);
            await member.DisposeAsync();
            members[place] = null;
        }
    }

    public async ValueTask DisposeAsync() => await EndAsync();

    private async Task EndOneAsync(Random random, Func<int, ServerProcess, Task> end, CancellationToken cancel)
    {
        (int Place, Member Member) chosen;
        while (!TryTake(random, out chosen))
            await Task.Delay(50, cancel);
        logs.NoteIfEnded(chosen.Place, chosen.Member.Process);
        await end(chosen.Place, chosen.Member.Process);
        logs.Keep(chosen.Place, chosen.Member.Process);
        await chosen.Member.DisposeAsync();
        Start(chosen.Place);
    }

    private async Task TerminateAsync(int place, ServerProcess process)
    {
        if (await process.TerminateAsync() is not 0 and var code)
            logs.Note($"server {place} was asked to end, and ended with {code}");
    }

    private void Start(int place) => starting.Add(Task.Run(() => StartAsync(place)));

    // A server that cannot start is tried again, as whatever looks after servers does, and it is told of.
    private async Task StartAsync(int place)
    {
        for (var tries = 1; ; tries++)
        {
            var process = start(place);
            try
            {
                var client = await process.ClientAsync(key);
                lock (gate)
                    members[place] = new(process, client);
                return;
            }
            catch (Exception e) when (e is InvalidOperationException or TimeoutException)
            {
                logs.NoteNoStart(place, e.Message);
                logs.Keep(place, process);
                await process.DisposeAsync();
                if (tries == MostStarts)
                    throw new InvalidOperationException($"The server at place {place} does not start: {e.Message}");
            }
        }
    }

    private async Task PauseAsync(Member[] chosen, TimeSpan pause)
    {
        await Task.WhenAll(chosen.Select(member => member.Process.PauseAsync()));
        await Task.Delay(pause, CancellationToken.None);
        await Task.WhenAll(chosen.Select(member => member.Process.ResumeAsync()));
        lock (gate)
        {
            foreach (var member in chosen)
                member.IsPaused = false;
        }
    }

    private bool TryTake(Random random, out (int Place, Member Member) chosen)
    {
        lock (gate)
        {
            chosen = default;
            if (Spare(random) is not { } place)
                return false;
            chosen = (place, members[place]!);
            members[place] = null;
            return true;
        }
    }

    private bool TryPause(Random random, [NotNullWhen(true)] out Member? member)
    {
        lock (gate)
        {
            member = Spare(random) is { } place ? members[place] : null;
            if (member is not null)
                member.IsPaused = true;
            return member is not null;
        }
    }

    // From the first try on nobody else takes one, or all would hardly ever be there.
    private bool TryPauseAll([NotNullWhen(true)] out Member[]? all)
    {
        lock (gate)
        {
            isReserved = true;
            all = [.. members.OfType<Member>().Where(member => !member.IsPaused)];
            if (all.Length < size)
                return false;
            foreach (var member in all)
                member.IsPaused = true;
            return true;
        }
    }

    // One that runs, of at least two.
    private int? Spare(Random random)
    {
        var running = Enumerable.Range(0, size).Where(place => members[place] is { IsPaused: false }).ToList();
        return isReserved || running.Count < 2 ? null : running[random.Next(running.Count)];
    }

    private sealed class Member(ServerProcess process, HttpClient client) : IAsyncDisposable
    {
        public ServerProcess Process => process;

        public HttpClient Client => client;

        public bool IsPaused { get; set; }

        public async ValueTask DisposeAsync()
        {
            client.Dispose();
            await process.DisposeAsync();
        }
    }
}
