using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Millrace.Chaos;

/// <summary>A TCP proxy on loopback that can cut its connections, or keep them open and pass nothing on any more.</summary>
internal sealed class FaultyProxy : IAsyncDisposable
{
    private static readonly byte[] ServerCrashed = [(byte)'E', 0, 0, 0, 41, .. "SFATAL\0C08P01\0Mserver conn crashed?\0\0"u8];
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Pair, bool> pairs = new();
    private readonly CancellationTokenSource stop = new();
    private readonly int target;
    private readonly Task accepting;
    private int resets;
    private int broken;

    /// <param name="target">The loopback port that it leads to.</param>
    public FaultyProxy(int target)
    {
        this.target = target;
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>How many connections go through it.</summary>
    public int Count => pairs.Count;

    /// <summary>Cuts up to a number of connections, chosen at random, with a reset; returns how many.</summary>
    public int Cut(int atMost)
    {
        var chosen = pairs.Keys.OrderBy(_ => Random.Shared.Next()).Take(atMost).ToList();
        foreach (var pair in chosen)
            pair.Cut();
        return chosen.Count;
    }

    /// <summary>From now on nothing passes on the connections that are there; they stay open. New ones are as ever.</summary>
    public void FreezeAll()
    {
        foreach (var pair in pairs.Keys)
            pair.Freeze();
    }

    /// <summary>The next connection is reset as soon as the client has said something.</summary>
    public void ResetNext() => Interlocked.Increment(ref resets);

    /// <summary>Whether each that was to be reset has been.</summary>
    public bool HasReset => Volatile.Read(ref resets) == 0;

    /// <summary>
    /// The next connection breaks off as PgBouncer does that loses its server: in the middle of a message, with an error of
    /// its own in place of the rest.
    /// </summary>
    /// <param name="after">After how many bytes of the server's.</param>
    public void BreakOffNext(int after) => Volatile.Write(ref broken, after);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        Cut(int.MaxValue);
        await accepting;
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await listener.AcceptSocketAsync(stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It stops.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.NoDelay = true;
        var pair = new Pair(client, server);
        try
        {
            if (Volatile.Read(ref resets) > 0)
            {
                await client.ReceiveAsync(new byte[1], stop.Token);
                client.LingerState = new(enable: true, 0);
                Interlocked.Decrement(ref resets);
                return;
            }

            await server.ConnectAsync(IPAddress.Loopback, target, stop.Token);
            pairs[pair] = true;
            var left = Interlocked.Exchange(ref broken, 0) is > 0 and var after ? after : int.MaxValue;
            await Task.WhenAny(PumpAsync(client, server, pair, int.MaxValue), PumpAsync(server, client, pair, left));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // As when the target is away: the client sees its connection end.
        }
        finally
        {
            pairs.TryRemove(pair, out _);
            client.Dispose();
            server.Dispose();
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Pair pair, int left)
    {
        try
        {
            var buffer = new byte[16 << 10];
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                await pair.Thaw;
                var passed = Math.Min(read, left);
                for (var sent = 0; sent < passed;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, passed - sent));
                if (left != int.MaxValue && (left -= passed) == 0)
                {
                    await to.SendAsync(ServerCrashed);
                    return;
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Either side is gone, or it was cut.
        }
    }

    private sealed class Pair(Socket client, Socket server)
    {
        private volatile TaskCompletionSource? frozen;

        /// <summary>Completed while it passes anything on.</summary>
        public Task Thaw => frozen?.Task ?? Task.CompletedTask;

        public void Freeze() => frozen ??= new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Cut()
        {
            // A zero linger sends a reset in place of an orderly end.
            foreach (var socket in new[] { client, server })
            {
                try
                {
                    socket.LingerState = new(enable: true, 0);
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    // It is closed already.
                }

                socket.Dispose();
            }

            frozen?.TrySetException(new ObjectDisposedException("the connection"));
        }
    }
}
