using Npgsql;

namespace Millrace.Pump;

/// <summary>Tells faults of the store that pass by themselves from those that do not.</summary>
public static class StoreFaults
{
    /// <summary>
    /// Whether a fault is the store's absence or overload: no connection, a server that starts or stops, no free
    /// connection, a deadlock, a time-out. The same request may succeed later.
    /// </summary>
    public static bool IsPassing(Exception fault) => fault switch
    {
        Store.StoreBusyException => true,
        PostgresException e => e.IsTransient || e.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections,
        NpgsqlException or TimeoutException => true,
        System.Net.Sockets.SocketException or IOException or ObjectDisposedException => true,
        _ => false,
    };
}
