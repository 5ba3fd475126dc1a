using System.Diagnostics;
using Millrace.Chaos.Sabotage;
using Millrace.Server.LocalPostgres;
using Millrace.Store;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>
/// Server processes on one PostgreSQL of their own, work whose effects can be counted, faults while it runs, and the count.
/// </summary>
internal sealed class ChaosRun(ChaosOptions options, Action<string> progress)
{
    /// <summary>The second database that instances write to.</summary>
    public const string OtherDatabase = "other";

    // When nothing is broken any more, what is stuck is what nothing has been heard of for so long.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Diary diary = new();
    private readonly WorkingTime time = new();

    public async Task<ChaosReport> RunAsync(CancellationToken cancel)
    {
        progress($"The seed is {options.Seed}.");
        var folder = Directory.CreateTempSubdirectory("millrace-chaos-").FullName;
        var logs = new ServerLogs($"{folder}-logs");
        var programs = PostgresPrograms.Find(null)
            ?? throw new InvalidOperationException("An installed PostgreSQL 15 or newer is needed (Debian: apt-get install postgresql).");
        var cluster = await Cluster.StartAsync(programs, folder, [], cancel);
        try
        {
            var report = await RunOnAsync(cluster, folder, logs, cancel);
            if (report.Holds)
                logs.Remove();
            return report;
        }
        finally
        {
            NpgsqlConnection.ClearAllPools();
            await cluster.StopAsync(CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<ChaosReport> RunOnAsync(Cluster cluster, string folder, ServerLogs logs, CancellationToken cancel)
    {
        var store = new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Pooling = false, Timeout = 3 };
        var other = new NpgsqlConnectionStringBuilder(store.ConnectionString) { Database = OtherDatabase };
        await Direct.ExecuteAsync(store.ConnectionString, $"CREATE DATABASE {OtherDatabase}");
        await Direct.ExecuteAsync(store.ConnectionString, Workload.Tables);
        await Direct.ExecuteAsync(other.ConnectionString, Workload.Tables);

        await using var proxy = new FaultyProxy(store.Port);
        await using var receiver = await Receiver.StartAsync(BadAnswers.Of(options.Pause));
        var through = new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Port = proxy.Port }.ConnectionString;
        await using var bouncer = PgBouncer.Program is null ? null : await PgBouncer.StartAsync(through);
        var key = KeyStore.NewKey();
        var places = new ServerPlaces(options, through, bouncer, await WrongClock.MakeAsync(folder, options.ClockError), key);
        await using var fleet = new Fleet(options.Servers, places.Start, key, logs);
        await fleet.StartAsync();

        var caller = new Caller(fleet, store.ConnectionString);
        var workload = new Workload(receiver.Address, options.Pause);
        await workload.DefineAsync(caller, cancel);
        var watch = new StallWatch(store.ConnectionString, time);
        var load = new Load(caller, workload, watch, options);
        using var database = new SemaphoreSlim(1);
        var saboteur = new Saboteur(options,
        [
            new Kill(options, fleet), new Replace(options, fleet), new Pause(options, fleet), new PauseAll(options, fleet, time),
            new Crash(options, cluster, database), new ReadOnlyPeriod(options, store.ConnectionString, database, time),
            new OldSnapshot(options, store.ConnectionString), new Cut(options, proxy),
        ], diary);
        await WorkAsync(load, saboteur, watch, fleet, store.ConnectionString, cancel);

        await fleet.EndAsync();
        var report = new ChaosReport(options)
        {
            Faults = saboteur.Faults,
            WrongClocks = Enumerable.Range(0, options.Servers).Count(places.IsWrong),
            Pooled = Enumerable.Range(0, options.Servers).Count(places.IsPooled),
            Resent = caller.Resent,
            LongestStall = watch.Longest,
            LongestStallOf = watch.LongestOf,
            Diary = diary,
            Logs = logs,
        };
        return await new Tally(load, receiver, store.ConnectionString, other.ConnectionString).CountAsync(report);
    }

    private async Task WorkAsync(Load load, Saboteur saboteur, StallWatch watch, Fleet fleet, string store, CancellationToken cancel)
    {
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var breaking = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var looking = watch.RunAsync(watching.Token);
        var telling = TellAsync(load, saboteur, watch, watching.Token);
        var loading = load.RunAsync(breaking.Token, patience.Token);
        var sabotage = saboteur.RunAsync(breaking.Token);
        // Sabotage that fails ends the run: it would be one without faults.
        await await Task.WhenAny(EnoughAsync(load, saboteur, cancel), sabotage);
        await breaking.CancelAsync();
        await sabotage;

        progress("No more faults and no more starts; waiting for what is left …");
        await fleet.WholeAsync(cancel);
        await EndAsync(loading, store, cancel);
        await patience.CancelAsync();
        await loading;
        await watching.CancelAsync();
        await Task.WhenAll(looking, telling);
    }

    // A slow machine gets more time for the same, though not for ever.
    private async Task EnoughAsync(Load load, Saboteur saboteur, CancellationToken cancel)
    {
        await Task.Delay(options.Duration, cancel);
        var least = ChaosOptions.Least(options.Rate * 60, options.Duration);
        var begin = Stopwatch.GetTimestamp();
        while (!(saboteur.HasDone(options.Duration) && load.Acknowledged >= least) && Stopwatch.GetElapsedTime(begin) < ChaosOptions.MoreTime)
            await Task.Delay(100, cancel);
    }

    private async Task TellAsync(Load load, Saboteur saboteur, StallWatch watch, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromSeconds(10), cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            progress(string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"{diary.Elapsed:mm\\:ss}  {load.Acknowledged} starts acknowledged, {watch.Live} instances live; {saboteur}; longest stall {watch.Longest.TotalSeconds:0.0} s"));
        }
    }

    private static async Task EndAsync(Task loading, string store, CancellationToken cancel)
    {
        var before = "";
        for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < Patience;)
        {
            var now = await Direct.ScalarAsync<string>(store, """
                SELECT format('%s live, %s ended, %s executions', (SELECT count(*) FROM millrace.work), (SELECT count(*) FROM millrace.outcome),
                              (SELECT count(*) FROM millrace.node_execution))
                """);
            if (loading.IsCompleted && now.StartsWith("0 live", StringComparison.Ordinal))
                return;
            if (now != before)
                (before, since) = (now, Stopwatch.GetTimestamp());
            await Task.Delay(500, cancel);
        }
    }
}
