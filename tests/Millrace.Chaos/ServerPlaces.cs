using System.Globalization;
using Millrace.Chaos.Sabotage;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>
/// How the server at each place is started. They differ as processes of one deployment may: the second one's clock is
/// wrong, and the last one reaches PostgreSQL through PgBouncer. All go through the proxy that cuts connections.
/// </summary>
/// <param name="options">The lease and the buckets.</param>
/// <param name="direct">Leads to PostgreSQL through the proxy.</param>
/// <param name="bouncer">PgBouncer in front of it; null where there is none.</param>
/// <param name="clock">The wrong clock; null where there is none.</param>
/// <param name="key">The API key.</param>
internal sealed class ServerPlaces(ChaosOptions options, string direct, PgBouncer? bouncer, WrongClock? clock, string key)
{
    /// <summary>Whether a place's clock is wrong.</summary>
    public bool IsWrong(int place) => clock is not null && place == 1;

    /// <summary>Whether a place goes through PgBouncer.</summary>
    public bool IsPooled(int place) => bouncer is not null && place > 1 && place == options.Servers - 1;

    /// <summary>Starts a process at a place.</summary>
    public ServerProcess Start(int place)
    {
        var store = IsPooled(place) ? bouncer!.ConnectionString : direct;
        var other = new NpgsqlConnectionStringBuilder(store) { Database = ChaosRun.OtherDatabase };
        return ServerProcess.StartOn(
            store,
            key,
            [
                ("Millrace__Connections__other", other.ConnectionString),
                ("Millrace__Pump__Lease", options.Lease.ToString()),
                ("Millrace__Pump__PollInterval", "00:00:00.250"),
                ("Millrace__Pump__Grace", "00:00:02"),
                // A server lives for some ten seconds here, so five in a row are lost by chance with one instance in thirty thousand.
                ("Millrace__Pump__MaxTakeovers", "10"),
                ("Millrace__Store__Buckets", options.Buckets.ToString(CultureInfo.InvariantCulture)),
                ("Millrace__Store__PoolSize", "6"),
                ("Millrace__Sql__PoolSize", "6"),
                ("Millrace__Http__AllowPrivateNetworks", "true"),
                ("Millrace__Http__BreakerPause", "00:00:00.500"),
                ("DOTNET_gcServer", "0"),
                ("Logging__LogLevel__Default", "Warning"),
                .. IsWrong(place) ? clock!.Environment : [],
            ]);
    }
}
