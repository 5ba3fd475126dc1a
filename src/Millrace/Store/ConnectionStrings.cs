using System.Globalization;
using Millrace.Configuration;
using Npgsql;

namespace Millrace.Store;

/// <summary>Reads connection strings without ever repeating them: they hold passwords.</summary>
public static class ConnectionStrings
{
    /// <summary>The connection of SQL nodes that name none.</summary>
    public const string Default = "default";

    /// <summary>Checks every connection string of the settings.</summary>
    /// <exception cref="SettingException">One is not a connection string; the message names its setting.</exception>
    public static void Check(MillraceOptions settings)
    {
        if (!string.IsNullOrWhiteSpace(settings.ConnectionString))
            Parse("Millrace:ConnectionString", settings.ConnectionString);
        foreach (var (name, text) in settings.Connections)
            Parse($"Millrace:Connections:{name}", text);
    }

    /// <summary>The connection strings of SQL nodes by name. Where nothing is said of the default one, it is the store's.</summary>
    public static IEnumerable<KeyValuePair<string, string?>> OfNodes(MillraceOptions settings) =>
        settings.Connections.Select(named => new KeyValuePair<string, string?>(named.Key, named.Value))
            .Append(new(Default, settings.ConnectionString))
            .DistinctBy(connection => connection.Key);

    /// <summary>
    /// The start-up options by which a server finds out that a client is gone: while it runs a statement, and while it
    /// waits for the next one.
    /// </summary>
    internal static string SessionChecks(TimeSpan clientCheck) => string.Create(
        CultureInfo.InvariantCulture,
        $"-c client_connection_check_interval={clientCheck.TotalMilliseconds:0} -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=5");

    internal static NpgsqlConnectionStringBuilder Parse(string setting, string text)
    {
        try
        {
            return new(text);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new SettingException(setting, "is not a connection string such as \"Host=localhost;Database=millrace;Username=…;Password=…\"");
        }
    }
}
