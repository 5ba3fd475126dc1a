using Millrace.Bench.Load;

namespace Millrace.Bench.Measures;

/// <summary>The workflows that are measured, and ways of measuring that several goals share.</summary>
internal static class Workloads
{
    public const string NoOp = """{"do":[{"set":{"done":true}}]}""";
    public const string SelectOne = """{"do":[{"sql":"select 1"}]}""";
    public static readonly string FiveReads = Five("""{"sql":{"query":"select 1","readOnly":true}}""");
    public static readonly string FiveWrites = Five("""{"sql":"insert into effect (number) values (1)"}""");

    /// <summary>A start by name, as most callers send it.</summary>
    public const string Start = """{"workflow":"bench","input":{"order":4711}}""";

    public static Shape StartShape => new(1, "POST", BenchServer.Instances, Start);

    /// <summary>
    /// How fast instances that are all ready at the same moment are run: they are stored with a common time to begin at,
    /// which is waited for, and the time of the last end is read from the store.
    /// </summary>
    public static async Task<double> DrainAsync(BenchServer server, int count, CancellationToken cancel)
    {
        var lead = 3 + (count / 8000.0);
        var begin = (await server.NowAsync(cancel)).AddSeconds(lead);
        await server.StartManyAsync(count, $$"""{"workflow":"bench","input":{"order":4711},"run_at":"{{begin:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}}"}""", cancel);
        if (await server.NowAsync(cancel) > begin)
            throw new InvalidOperationException($"The instances were not all stored within {lead:0.0} s; this machine needs a longer lead.");
        var end = await server.DrainedAsync(begin, count, cancel);
        return count / (end - begin).TotalSeconds;
    }

    /// <summary>How fast instances are started one by one over HTTP and run meanwhile, from the first start to the last end.</summary>
    public static async Task<double> StartAndRunAsync(BenchServer server, int count, CancellationToken cancel)
    {
        var begin = await server.NowAsync(cancel);
        var load = await server.LoadAsync(64, 0, cancel, requests: count, shapes: StartShape);
        if (load.Failures > 0)
            throw new InvalidOperationException($"{load.Failures} starts failed: {load.FirstFailure}");
        var end = await server.DrainedAsync(begin, count, cancel);
        return count / (end - begin).TotalSeconds;
    }

    /// <summary>A server with a workflow, which has done enough of it that its code is compiled.</summary>
    public static async Task<BenchServer> WarmServerAsync(string connectionString, string definition, CancellationToken cancel, params (string, string)[] settings)
    {
        var server = await BenchContext.StartServerAsync(connectionString, cancel, settings);
        await server.StoreWorkflowAsync("bench", definition, cancel);
        for (var i = 0; i < 2; i++)
        {
            await StartAndRunAsync(server, 5000, cancel);
            await Task.Delay(500, cancel);
        }

        return server;
    }

    /// <summary>Waits until nothing that is ready is left to run.</summary>
    public static async Task IdleAsync(BenchServer server, CancellationToken cancel)
    {
        while (await BenchContext.ScalarAsync<bool>(server.ConnectionString, "SELECT EXISTS (SELECT FROM millrace.work WHERE bucket = 0 AND priority = 5 AND ready_at <= now() + interval '1 minute')", cancel))
            await Task.Delay(500, cancel);
    }

    private static string Five(string node) => $$"""{"do":[{{string.Join(',', Enumerable.Repeat(node, 5))}}]}""";
}
