using Npgsql;

namespace Millrace.Faults;

/// <summary>Tells faults of a PostgreSQL that pass by themselves from those that do not.</summary>
public static class StoreFaults
{
    /// <summary>
    /// Whether a fault is the store's absence or overload: no connection, a server that starts or stops, no free
    /// connection, a deadlock, a time-out. The same request may succeed later.
    /// </summary>
    public static bool IsPassing(Exception fault) => fault switch
    {
        Store.StoreBusyException => true,
        PostgresException e => e.IsTransient || EndsTheSession(e) || HitsTheTransactionOnly(e),
        NpgsqlException or TimeoutException => true,
        System.Net.Sockets.SocketException or IOException or ObjectDisposedException => true,
        _ => false,
    };

    /// <summary>
    /// Whether a fault of somebody's own statement is the server's state and not the statement's: a connection that cannot
    /// be had or was lost, a server that starts or stops, too many connections, a serialization failure or a deadlock.
    /// Full disks, locks that were not to be waited for, and whatever else a statement may be about, are not.
    /// </summary>
    public static bool IsPassingForStatement(Exception fault) => fault switch
    {
        PostgresException e => EndsTheSession(e) || HitsTheTransactionOnly(e),
        NpgsqlException e => e.IsTransient || e.InnerException is ObjectDisposedException,
        _ => false,
    };

    /// <summary>
    /// Whether a fault tells that a connection is gone, and so probably all that were made before it: a pool that hands
    /// them out one by one would fail as often as it has any.
    /// </summary>
    public static bool IsLostConnection(Exception fault) => fault switch
    {
        PostgresException e => EndsTheSession(e) && e.SqlState != PostgresErrorCodes.TooManyConnections,
        NpgsqlException => true,
        _ => false,
    };

    // Class 08 is about connections. The two time-outs are those of sessions that idle, which only a stopped process's do.
    private static bool EndsTheSession(PostgresException e) => e.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections or "25P03"
        || e.SqlState.StartsWith("08", StringComparison.Ordinal) || e.SqlState == "57P05";

    private static bool HitsTheTransactionOnly(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;
}
