using System.Globalization;
using Microsoft.AspNetCore.Http;
using Millrace.Server.LocalPostgres;
using Millrace.Store;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>
/// Server processes on one PostgreSQL of their own, work whose effects can be counted, faults while it runs, and the count.
/// </summary>
internal sealed class ChaosRun(ChaosOptions options, Action<string> progress)
{
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(90);

    public async Task<ChaosReport> RunAsync(CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("millrace-chaos-").FullName;
        var programs = PostgresPrograms.Find(null)
            ?? throw new InvalidOperationException("An installed PostgreSQL 15 or newer is needed (Debian: apt-get install postgresql).");
        var cluster = await Cluster.StartAsync(programs, folder, [], cancel);
        try
        {
            return await RunOnAsync(cluster, cancel);
        }
        finally
        {
            NpgsqlConnection.ClearAllPools();
            await cluster.StopAsync(CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<ChaosReport> RunOnAsync(Cluster cluster, CancellationToken cancel)
    {
        var store = new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Pooling = false, Timeout = 3 };
        var other = new NpgsqlConnectionStringBuilder(store.ConnectionString) { Database = "other" };
        await Direct.ExecuteAsync(store.ConnectionString, "CREATE DATABASE other");
        await Direct.ExecuteAsync(store.ConnectionString, Workload.Tables);
        await Direct.ExecuteAsync(other.ConnectionString, Workload.Tables);

        await using var proxy = new FaultyProxy(store.Port);
        await using var receiver = await Receiver.StartAsync(AnswerBadlyAsync);
        var key = KeyStore.NewKey();
        await using var fleet = new Fleet(options.Servers, () => StartServer(cluster.ConnectionString, proxy.Port, key), key);
        await fleet.StartAsync();
        await DefineChildAsync(fleet, cancel);

        var kinds = Workload.Kinds(receiver.Address);
        var load = new Load(fleet, kinds);
        var saboteur = new Saboteur(options, fleet, cluster, proxy);
        var watch = new StallWatch(store.ConnectionString);
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var breaking = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var looking = watch.RunAsync(watching.Token);
        var telling = TellAsync(load, saboteur, watch, watching.Token);
        var ending = EndFaultsAsync(saboteur, breaking, cancel);
        await Task.WhenAll(ending, saboteur.RunAsync(breaking.Token), load.RunAsync(options.Rate, breaking.Token, cancel));

        progress("No more faults and no more starts; waiting for what is left …");
        await fleet.WholeAsync(cancel);
        await EndAsync(store.ConnectionString, cancel);
        await watching.CancelAsync();
        await Task.WhenAll(looking, telling);
        var tally = new Tally(load.Acknowledged, receiver, store.ConnectionString, other.ConnectionString);
        return await tally.CountAsync(new ChaosReport(options)
        {
            Kills = saboteur.Kills,
            Pauses = saboteur.Pauses,
            Restarts = saboteur.Restarts,
            Cuts = saboteur.Cuts,
            Acknowledged = load.Acknowledged.Count,
            Resent = load.Resent,
            LongestStall = watch.Longest,
            LongestStallOf = watch.LongestOf,
        });
    }

    private async Task EndFaultsAsync(Saboteur saboteur, CancellationTokenSource breaking, CancellationToken cancel)
    {
        await Task.Delay(options.Duration, cancel);
        var begin = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!saboteur.HasDone(options.Duration) && System.Diagnostics.Stopwatch.GetElapsedTime(begin) < options.Duration)
            await Task.Delay(100, cancel);
        await breaking.CancelAsync();
    }

    private ServerProcess StartServer(string connectionString, int port, string key)
    {
        var through = new NpgsqlConnectionStringBuilder(connectionString) { Port = port };
        var other = new NpgsqlConnectionStringBuilder(through.ConnectionString) { Database = "other" };
        return ServerProcess.StartOn(
            through.ConnectionString,
            key,
            ("Millrace__Connections__other", other.ConnectionString),
            ("Millrace__Pump__Lease", options.Lease.ToString()),
            ("Millrace__Pump__PollInterval", "00:00:00.250"),
            ("Millrace__Store__Buckets", options.Buckets.ToString(CultureInfo.InvariantCulture)),
            ("Millrace__Store__PoolSize", "6"),
            ("Millrace__Sql__PoolSize", "6"),
            ("Millrace__Http__AllowPrivateNetworks", "true"),
            ("Millrace__Http__BreakerPause", "00:00:00.500"),
            ("DOTNET_gcServer", "0"),
            ("Logging__LogLevel__Default", "Warning"));
    }

    private static async Task DefineChildAsync(Fleet fleet, CancellationToken cancel)
    {
        var answer = await fleet.SendAsync(
            () => new(HttpMethod.Put, "workflows/child") { Content = new StringContent(Workload.Child, System.Text.Encoding.UTF8, "application/json") }, cancel);
        if (answer?.Status is not (System.Net.HttpStatusCode.OK or System.Net.HttpStatusCode.Created))
            throw new InvalidOperationException($"The workflow \"child\" was not taken: {answer}");
    }

    // One request in five fails: with an error, or with a connection that ends.
    private static async Task AnswerBadlyAsync(HttpContext context, int count)
    {
        await Task.Delay(Random.Shared.Next(100));
        switch (Random.Shared.Next(10))
        {
            case 0:
                context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                break;
            case 1:
                context.Abort();
                break;
            default:
                await context.Response.WriteAsync("ok");
                break;
        }
    }

    private async Task TellAsync(Load load, Saboteur saboteur, StallWatch watch, CancellationToken cancel)
    {
        var begin = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!cancel.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromSeconds(10), cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            progress(string.Create(CultureInfo.InvariantCulture,
                $"{System.Diagnostics.Stopwatch.GetElapsedTime(begin):mm\\:ss}  {load.Acknowledged.Count} starts acknowledged, {watch.Live} instances live;"
                + $" {saboteur.Kills} kills, {saboteur.Pauses} pauses, {saboteur.Restarts} restarts, {saboteur.Cuts} cuts; longest stall {watch.Longest.TotalSeconds:0.0} s"));
        }
    }

    private static async Task EndAsync(string connectionString, CancellationToken cancel)
    {
        var begin = System.Diagnostics.Stopwatch.GetTimestamp();
        while (System.Diagnostics.Stopwatch.GetElapsedTime(begin) < EndLimit)
        {
            if (!await Direct.ScalarAsync<bool>(connectionString, "SELECT EXISTS (SELECT FROM millrace.work)"))
                return;
            await Task.Delay(200, cancel);
        }
    }
}
