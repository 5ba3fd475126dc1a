using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Bench.Report;
using Millrace.Store;

namespace Millrace.Bench.Measures;

/// <summary>P12: a claim while other workers hold many instances under leases that they have not renewed yet, beside one with nothing in flight.</summary>
internal static class InFlight
{
    private const int Batch = 100;

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(BenchContext bench, CancellationToken cancel)
    {
        var held = bench.Settings.Size(50_000);
        List<double> busyMedian = [], busyMean = [], idleMedian = [], idleMean = [];
        await using var busy = await Claimer.StartAsync(await bench.CreateDatabaseAsync(cancel), cancel);
        await using var idle = await Claimer.StartAsync(await bench.CreateDatabaseAsync(cancel), cancel);
        await BenchContext.ExecuteAsync(busy.ConnectionString, $"""
            INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at, lease_token, leased_until, status, claims)
            SELECT 0, gen_random_uuid(), gen_random_uuid(), 5, now() - interval '20 seconds' * random(), n, now() + interval '1 hour', 1, 1
            FROM generate_series(1, {held}) AS n
            """, cancel);
        foreach (var claimer in new[] { idle, busy })
            await claimer.ClaimAsync(20, cancel);
        for (var run = 1; run <= bench.Settings.Runs; run++)
        {
            var (with, without) = (new List<double>(), new List<double>());
            for (var turn = 0; turn < 10; turn++)
            {
                without.AddRange(await idle.ClaimAsync(20, cancel));
                with.AddRange(await busy.ClaimAsync(20, cancel));
            }

            busyMedian.Add(Figure.MedianOf(with));
            idleMedian.Add(Figure.MedianOf(without));
            busyMean.Add(with.Average());
            idleMean.Add(without.Average());
            bench.Say($"P12 run {run}: a claim of {Batch} takes {Format.Number(busyMedian[^1])} ms, {Format.Number(busyMean[^1])} ms on average; with nothing in flight {Format.Number(idleMedian[^1])} ms and {Format.Number(idleMean[^1])} ms");
        }

        return
        [
            Figure.AtMostTimes("P12", $"a claim of {Batch} with {held:N0} instances in flight", " ms", busyMedian, 1.5, new("none in flight", idleMedian)),
            Figure.AtMostTimes("P12", "the same on average, looks from the beginning included", " ms", busyMean, 1.5, new("none in flight", idleMean)),
        ];
    }

    // Claims as a pump does, and forgets what it has claimed.
    private sealed class Claimer(ServiceProvider services, string connectionString) : IAsyncDisposable
    {
        private readonly ClaimStore claims = services.GetRequiredService<ClaimStore>();

        public string ConnectionString => connectionString;

        public static async Task<Claimer> StartAsync(string connectionString, CancellationToken cancel)
        {
            var settings = new Dictionary<string, string?> { ["Millrace:ConnectionString"] = connectionString, ["Millrace:ApiKey"] = KeyStore.NewKey() };
            var services = new ServiceCollection().AddLogging().AddMillrace(new ConfigurationBuilder().AddInMemoryCollection(settings).Build()).BuildServiceProvider();
            await services.GetRequiredService<StorePreparation>().PrepareAsync(_ => { }, cancel);
            return new(services, connectionString);
        }

        /// <summary>So many claims in a row, each of instances that have just become ready; the milliseconds that each took.</summary>
        public async Task<List<double>> ClaimAsync(int count, CancellationToken cancel)
        {
            var took = new List<double>();
            for (var claim = 0; claim < count; claim++)
            {
                await MakeReadyAsync(cancel);
                var begun = Stopwatch.GetTimestamp();
                var claimed = await claims.ClaimAsync(0, Batch, TimeSpan.FromMinutes(1), "bench", DateTimeOffset.MaxValue, cancel);
                took.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
                if (claimed.Count != Batch)
                    throw new InvalidOperationException($"{claimed.Count} instances were claimed instead of {Batch}.");
                await ForgetAsync([.. claimed.Select(instance => instance.Id)], cancel);
            }

            return took;
        }

        private async Task MakeReadyAsync(CancellationToken cancel)
        {
            var ids = Enumerable.Range(0, Batch).Select(_ => InstanceId.New(0)).ToArray();
            await RunAsync("""
                WITH facts AS (
                    INSERT INTO millrace.instance (bucket, id, organisation_id, definition_hash, priority, variables)
                    SELECT 0, id, '00000000-0000-0000-0000-000000000001', '', 5, '{}' FROM unnest($1::uuid[]) AS id
                )
                INSERT INTO millrace.work (bucket, id, organisation_id, priority, ready_at)
                SELECT 0, id, '00000000-0000-0000-0000-000000000001', 5, now() FROM unnest($1::uuid[]) AS id
                """, ids, cancel);
        }

        private Task ForgetAsync(Guid[] ids, CancellationToken cancel) => RunAsync("DELETE FROM millrace.work WHERE id = ANY ($1)", ids, cancel);

        private async Task RunAsync(string sql, Guid[] ids, CancellationToken cancel)
        {
            await using var command = services.GetRequiredService<Database>().Source.CreateCommand(sql);
            command.Parameters.Add(new() { Value = ids });
            await command.ExecuteNonQueryAsync(cancel);
        }

        public ValueTask DisposeAsync() => services.DisposeAsync();
    }
}
