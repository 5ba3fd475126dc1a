using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Sizing;

/// <summary>How many connections to the store's server a deployment may hold at once, if every pool of every process were full.</summary>
/// <param name="Instances">How many instances a group of functions has, or how many servers there are.</param>
/// <param name="Http">What an instance that answers calls may hold.</param>
/// <param name="Pump">What an instance that runs work may hold.</param>
/// <param name="IsFunctionApp">Whether calls, woken drains and the scheduled one have instances apart from each other.</param>
public sealed record ConnectionDemand(int Instances, int Http, int Pump, bool IsFunctionApp)
{
    // What is left is for maintenance, a drain that is asked for by hand, deployments, and people.
    private const double Share = 0.8;

    /// <summary>The most that can be asked for.</summary>
    public int Worst => IsFunctionApp ? (Instances * (Http + Pump)) + Pump : Instances * Pump;

    /// <summary>How the figure comes about.</summary>
    public string Arithmetic => IsFunctionApp
        ? FormattableString.Invariant($"{Instances} instances × ({Http} for calls + {Pump} for woken drains) + {Pump} for the scheduled drain = {Worst}")
        : FormattableString.Invariant($"{Instances} {(Instances == 1 ? "server" : "servers")} × {Pump} = {Worst}");

    /// <summary>The demand by these settings.</summary>
    public static ConnectionDemand Of(MillraceOptions settings)
    {
        var isFunctionApp = settings.Sizing.Sku is not null;
        // SQL nodes have two pools: of sessions that are put back after each statement, and of others, with one that looks at them.
        var sql = SqlPoolsOnTheStore(settings) * ((2 * settings.Sql.PoolSize) + 1);
        var pump = settings.Store.PoolSize + settings.Store.BatchPoolSize + settings.Store.MatchPoolSize + sql;
        return new(settings.Sizing.Instances ?? 1, settings.Store.PoolSize, pump, isFunctionApp);
    }

    /// <summary>How many of a server's connections may be asked for.</summary>
    public static int Budget(int available) => (int)(available * Share);

    /// <summary>How many instances a budget allows.</summary>
    public int MostInstances(int budget) => IsFunctionApp ? (budget - Pump) / (Http + Pump) : budget / Pump;

    private static int SqlPoolsOnTheStore(MillraceOptions settings)
    {
        var store = ServerOf("Millrace:ConnectionString", settings.ConnectionString);
        return ConnectionStrings.OfNodes(settings).Count(connection => ServerOf($"Millrace:Connections:{connection.Key}", connection.Value) == store);
    }

    private static (string? Host, int Port)? ServerOf(string setting, string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var parsed = ConnectionStrings.Parse(setting, text);
        return (parsed.Host?.ToUpperInvariant(), parsed.Port);
    }
}
