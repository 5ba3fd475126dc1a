using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Npgsql;

namespace Millrace.Sizing;

/// <summary>
/// Compares what the pools of all processes could ask for with what the server has, before it is asked for at the worst
/// moment. Behind a transaction pooler the server's connections are the pooler's, so nothing is compared.
/// </summary>
internal sealed class SizingCheck(Database database, IOptions<MillraceOptions> options, ILogger<SizingCheck> log)
{
    /// <summary>Checks, and warns or refuses.</summary>
    /// <exception cref="SettingException">More could be asked for than there is.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        if (database.IsPooled)
            return;
        var settings = options.Value;
        var (max, available) = await ConnectionsAsync(cancel);
        if (Problem(ConnectionDemand.Of(settings), max, available) is not { } problem)
            return;
        // One process by itself is not refused for what it would only ask for if all its pools were full.
        if (settings.Sizing.Enforce && settings.Sizing.Sku is not null)
            throw new SettingException("Millrace:Sizing", problem);
        log.TooFewConnections(problem);
    }

    /// <summary>What is wrong with a demand, with the arithmetic; null where nothing is.</summary>
    internal static string? Problem(ConnectionDemand demand, int max, int available)
    {
        var budget = ConnectionDemand.Budget(available);
        if (demand.Worst <= budget)
            return null;
        var most = demand.MostInstances(budget);
        return string.Create(CultureInfo.InvariantCulture, $"""
            could ask for more connections than this PostgreSQL has to give: {demand.Arithmetic}, but the budget is 80 % of {available} = {budget} (max_connections {max}, {max - available} of them reserved). {(most >= 1
                ? $"Set Millrace:Sizing:Instances to {most} or less"
                : "Set smaller pools (Millrace:Store:PoolSize, Millrace:Store:BatchPoolSize, Millrace:Store:MatchPoolSize, Millrace:Sql:PoolSize)")}, choose a larger PostgreSQL, or set Millrace:Sizing:Enforce=false to be warned only
            """);
    }

    private async Task<(int Max, int Available)> ConnectionsAsync(CancellationToken cancel)
    {
        // Reserved ones for members of a role came with PostgreSQL 16.
        await using var command = database.Source.CreateCommand("""
            SELECT current_setting('max_connections')::integer,
                   current_setting('superuser_reserved_connections')::integer + coalesce(current_setting('reserved_connections', true)::integer, 0)
            """);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        var max = reader.GetInt32(0);
        return (max, max - reader.GetInt32(1));
    }
}
