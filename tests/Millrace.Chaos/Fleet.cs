using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Millrace.Chaos;

/// <summary>The server processes. Places stay; whoever is killed is followed by a new process at the same place.</summary>
internal sealed class Fleet(int size, Func<ServerProcess> start, string key) : IAsyncDisposable
{
    private readonly Member?[] members = new Member?[size];
    private readonly Lock gate = new();

    /// <summary>Starts them all, and waits until they serve.</summary>
    public Task StartAsync() => Task.WhenAll(Enumerable.Range(0, size).Select(StartAsync));

    /// <summary>
    /// Kills one that runs, and starts the next at its place. One that is paused is left to wake, and one is always left
    /// that can take over: what nobody is there for stands still by right. Waits until there is one to spare.
    /// </summary>
    public async Task KillAsync(CancellationToken cancel)
    {
        (int Place, Member Member) chosen;
        while (!TryTake(out chosen))
            await Task.Delay(50, cancel);
        await chosen.Member.Process.KillAsync();
        await chosen.Member.DisposeAsync();
        _ = StartAsync(chosen.Place);
    }

    /// <summary>Stops one for a while, and lets it go on. Waits until there is one to spare.</summary>
    public async Task PauseAsync(TimeSpan pause, CancellationToken cancel)
    {
        Member? member;
        while (!TryPause(out member))
            await Task.Delay(50, cancel);
        await member.Process.PauseAsync();
        await Task.Delay(pause, CancellationToken.None);
        await member.Process.ResumeAsync();
        lock (gate)
            member.IsPaused = false;
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
            limit.CancelAfter(TimeSpan.FromSeconds(10));
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
    public async Task WholeAsync(CancellationToken cancel)
    {
        while (members.Any(member => member is null))
            await Task.Delay(50, cancel);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var member in members.OfType<Member>())
            await member.DisposeAsync();
    }

    private async Task StartAsync(int place)
    {
        var process = start();
        var client = await process.ClientAsync(key);
        lock (gate)
            members[place] = new(process, client);
    }

    private bool TryTake(out (int Place, Member Member) chosen)
    {
        lock (gate)
        {
            chosen = default;
            if (Spare() is not { } place)
                return false;
            chosen = (place, members[place]!);
            members[place] = null;
            return true;
        }
    }

    private bool TryPause([NotNullWhen(true)] out Member? member)
    {
        lock (gate)
        {
            member = Spare() is { } place ? members[place] : null;
            if (member is not null)
                member.IsPaused = true;
            return member is not null;
        }
    }

    // One that runs, of at least two.
    private int? Spare()
    {
        var running = Enumerable.Range(0, size).Where(place => members[place] is { IsPaused: false }).ToList();
        return running.Count < 2 ? null : running[Random.Shared.Next(running.Count)];
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
