using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Millrace.Bench.Load;

/// <summary>One kind of request, and how often it is sent among the others.</summary>
/// <param name="Weight">Its share.</param>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">Path and query.</param>
/// <param name="Body">A JSON body; null for none.</param>
internal sealed record Shape(int Weight, string Method, string Path, string? Body = null);

/// <summary>What a load generator is to do.</summary>
/// <param name="Url">Where.</param>
/// <param name="Key">The API key; null for none.</param>
/// <param name="Connections">How many connections, each with one request at a time.</param>
/// <param name="Seconds">How long, unless <paramref name="Requests"/> says how many.</param>
/// <param name="Requests">How many requests; 0 for as many as there is time for.</param>
/// <param name="Rate">
/// Requests a second, sent when their time has come whether or not earlier ones were answered (an open model; latency
/// counts from that time on, so a slow answer is not hidden by requests that were not sent). 0 for the next one as soon as
/// one was answered.
/// </param>
/// <param name="Wait">The <c>Prefer: wait</c> of each request, in seconds; 0 for none.</param>
/// <param name="Expect">The status that counts as success.</param>
/// <param name="Shapes">What to send.</param>
internal sealed record Plan(
    string Url, string? Key, int Connections, double Seconds, int Requests, double Rate, int Wait, int Expect, IReadOnlyList<Shape> Shapes);

/// <summary>What came of it; times in milliseconds.</summary>
internal sealed record Outcome(long Requests, long Failures, double Seconds, double P50, double P95, double P99, double Max, string? FirstFailure)
{
    /// <summary>Successful requests a second.</summary>
    public double PerSecond => (Requests - Failures) / Seconds;
}

/// <summary>
/// A load generator that costs little itself, since it shares the machine with what it measures: requests are made once,
/// and answers are read no further than their length.
/// </summary>
internal sealed class HttpLoad(Plan plan)
{
    private readonly List<double>[] times = [.. Enumerable.Range(0, plan.Connections).Select(_ => new List<double>(4096))];
    private readonly byte[][] requests = [.. plan.Shapes.SelectMany(shape => Enumerable.Repeat(Bytes(plan, shape), shape.Weight))];
    private long failures;
    private long sent;
    private string? firstFailure;
    private Stopwatch clock = new();

    /// <summary>The process's whole life: a plan on its standard input, an outcome on its standard output.</summary>
    public static async Task<int> RunAsProcessAsync(CancellationToken cancel)
    {
        var plan = JsonSerializer.Deserialize<Plan>(await Console.In.ReadToEndAsync(cancel))!;
        Console.WriteLine(JsonSerializer.Serialize(await new HttpLoad(plan).RunAsync()));
        return 0;
    }

    private async Task<Outcome> RunAsync()
    {
        clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, plan.Connections).Select(number => Task.Run(() => SendAllAsync(number))));
        var seconds = clock.Elapsed.TotalSeconds;
        var all = times.SelectMany(list => list).Order().ToArray();
        double At(double part) => all.Length == 0 ? 0 : all[Math.Min(all.Length - 1, (int)(all.Length * part))];
        return new(all.Length, failures, seconds, At(0.5), At(0.95), At(0.99), At(1), firstFailure);
    }

    private async Task SendAllAsync(int number)
    {
        var address = new Uri(plan.Url);
        using var connection = new Connection();
        await connection.OpenAsync(address);
        while (true)
        {
            var turn = Interlocked.Increment(ref sent) - 1;
            if (plan.Requests > 0 ? turn >= plan.Requests : clock.Elapsed.TotalSeconds >= plan.Seconds)
                return;
            var begun = clock.Elapsed;
            if (plan.Rate > 0)
            {
                var due = TimeSpan.FromSeconds(turn / plan.Rate);
                if (plan.Requests == 0 && due.TotalSeconds >= plan.Seconds)
                    return;
                if (due > begun)
                    await Task.Delay(due - begun);
                begun = due;
            }

            // A mix that is the same in every run, and spread evenly: a step that shares no factor with most lengths.
            var status = await connection.SendAsync(requests[(int)(turn * 37 % requests.Length)]);
            times[number].Add((clock.Elapsed - begun).TotalMilliseconds);
            if (status != plan.Expect && !(plan.Shapes.Count > 1 && status == 200))
            {
                Interlocked.Increment(ref failures);
                firstFailure ??= $"status {status}";
            }
        }
    }

    private static byte[] Bytes(Plan plan, Shape shape)
    {
        var text = new StringBuilder($"{shape.Method} {shape.Path} HTTP/1.1\r\nHost: {new Uri(plan.Url).Authority}\r\n");
        if (plan.Key is not null)
            text.Append($"Authorization: Bearer {plan.Key}\r\n");
        if (plan.Wait > 0)
            text.Append($"Prefer: wait={plan.Wait}\r\n");
        if (shape.Body is not null)
            text.Append($"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(shape.Body)}\r\n");
        return Encoding.UTF8.GetBytes(text.Append("\r\n").Append(shape.Body).ToString());
    }

    private sealed class Connection : IDisposable
    {
        private readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private byte[] buffer = new byte[64 << 10];
        private int filled;

        public async Task OpenAsync(Uri address) => await socket.ConnectAsync(IPAddress.Parse(address.Host), address.Port);

        /// <summary>Sends a request and reads its answer; returns the status.</summary>
        public async ValueTask<int> SendAsync(byte[] request)
        {
            await socket.SendAsync(request);
            int head;
            while ((head = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
                await ReceiveAsync();
            if (!Utf8Parser.TryParse(buffer.AsSpan(9, 3), out int status, out _))
                throw new IOException("The answer is not HTTP.");
            var lower = buffer.AsSpan(0, head);
            if (Header(lower, "Transfer-Encoding: "u8) >= 0)
                await ReadChunksAsync(head + 4);
            else
                await ReadAsync(head + 4 + Math.Max(0, Header(lower, "Content-Length: "u8)));
            return status;
        }

        // The number behind a header's name, 0 where it is none; -1 where there is no such header.
        private static int Header(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
        {
            var at = head.IndexOf(name);
            return at < 0 ? -1 : Utf8Parser.TryParse(head[(at + name.Length)..], out int value, out _) ? value : 0;
        }

        private async ValueTask ReadAsync(int total)
        {
            while (filled < total)
                await ReceiveAsync();
            Drop(total);
        }

        private async ValueTask ReadChunksAsync(int at)
        {
            while (true)
            {
                int end;
                while ((end = buffer.AsSpan(at, filled - at).IndexOf("\r\n"u8)) < 0)
                    await ReceiveAsync();
                if (!Utf8Parser.TryParse(buffer.AsSpan(at, end), out int size, out _, 'x'))
                    throw new IOException("The answer's chunks are not HTTP.");
                at += end + 2 + size + 2;
                while (filled < at)
                    await ReceiveAsync();
                if (size > 0)
                    continue;
                Drop(at);
                return;
            }
        }

        private async ValueTask ReceiveAsync()
        {
            if (filled == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled));
            if (read == 0)
                throw new IOException("The server closed the connection.");
            filled += read;
        }

        private void Drop(int count)
        {
            buffer.AsSpan(count, filled - count).CopyTo(buffer);
            filled -= count;
        }

        public void Dispose() => socket.Dispose();
    }
}
