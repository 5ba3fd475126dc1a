using System.Globalization;
using Millrace.Configuration;
using Millrace.Sizing;

namespace Millrace.Server;

/// <summary>Prints the sizing profiles, or works one out.</summary>
internal static class SizingCommand
{
    public static int Run(string? sku, string? postgres, int? instances, TextWriter output)
    {
        if (sku is null && postgres is null && instances is null)
        {
            PrintTable(output);
            return 0;
        }

        if (postgres is null)
            throw new SettingException("--postgres", $"is missing: one of {string.Join(", ", PostgresSku.All.Select(size => size.Name))}");
        var profile = SizingProfile.Of(sku, postgres);
        return Print(profile, instances ?? profile.Instances, output);
    }

    private static void PrintTable(TextWriter output)
    {
        string[] heads = ["PostgreSQL", "connections", "budget", "instances of", "most", "for calls", "for the pump", "worst case", "claim", "at once", "SQL at once"];
        var rows = SizingProfile.Recommended.Select(profile =>
        {
            var demand = profile.Demand(profile.Instances);
            return new[]
            {
                profile.Postgres.Name, Text(profile.Postgres.Available), Text(profile.Budget), profile.Host.Name, Text(profile.Instances), Text(demand.Http),
                Text(demand.Pump), Text(demand.Worst), Text(profile.Host.ClaimBatch), Text(profile.Host.MaxInstances), Text(profile.Host.SqlPool),
            };
        }).Prepend(heads).ToList();
        var widths = heads.Select((_, column) => rows.Max(row => row[column].Length)).ToList();
        foreach (var row in rows)
            output.WriteLine(string.Join("  ", row.Select((cell, column) => column is 0 or 3 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))).TrimEnd());
        output.WriteLine();
        output.WriteLine("Worst case = most × (for calls + for the pump) + for the pump; it stays below the budget, 80 % of the connections.");
        output.WriteLine("One combination worked out: sizing --postgres D2ds_v5 --sku flex-4096 --instances 8");
    }

    private static int Print(SizingProfile profile, int instances, TextWriter output)
    {
        var (host, postgres, demand) = (profile.Host, profile.Postgres, profile.Demand(Math.Max(1, instances)));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            {host.Name}: {host.MemoryMB:N0} MB, {host.Cores} cores for each instance
            {postgres.Name}: {postgres.MaxConnections:N0} connections, {postgres.Available:N0} of them for users; 80 % of those: {profile.Budget:N0}
            Worst case: {demand.Arithmetic}

            """));
        if (demand.Worst > profile.Budget || instances < 1)
        {
            output.WriteLine(demand.MostInstances(profile.Budget) is >= 1 and var most
                ? $"Too many: {most} instances at the most."
                : "They do not fit: choose a larger PostgreSQL or smaller instances, or set smaller pools.");
            return 1;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            Millrace__Sizing__Sku={host.Name}
            Millrace__Sizing__Postgres={postgres.Name}
            Millrace__Sizing__Instances={instances}
            which stand for
            Millrace__Store__PoolSize={host.StorePool}
            Millrace__Store__BatchPoolSize={host.BatchPool}
            Millrace__Store__MatchPoolSize={host.MatchPool}
            Millrace__Sql__PoolSize={host.SqlPool}
            Millrace__Pump__ClaimBatch={host.ClaimBatch}
            Millrace__Pump__MaxInstances={host.MaxInstances}
            Millrace__Pump__MaxStateBytes={(long)host.MaxStateMB << 20}
            """));
        return 0;
    }

    private static string Text(int number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
