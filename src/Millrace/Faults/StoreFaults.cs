using Npgsql;

namespace Millrace.Faults;

/// <summary>Tells faults of a PostgreSQL that pass by themselves from those that do not.</summary>
public static class StoreFaults
{
    /// <summary>
    /// Whether a fault is the store's absence or overload: no connection, a server that starts or stops, no free
    /// connection, a deadlock, a time-out, a lock or a statement that somebody else gave up, a server that takes no writes
    /// because it was or became a standby. The same request may succeed later.
    /// </summary>
    public static bool IsPassing(Exception fault) => fault switch
    {
        Store.StoreBusyException => true,
        PostgresException e => e.IsTransient || EndsTheSession(e) || HitsTheTransactionOnly(e) || IsStandby(e) || HitsTheStatementOnly(e),
        NpgsqlException or TimeoutException => true,
        System.Net.Sockets.SocketException or IOException or ObjectDisposedException => true,
        _ => IsGarbled(fault),
    };

    /// <summary>
    /// Whether a fault of somebody's own statement is the server's state and not the statement's: a connection that cannot
    /// be had or was lost, a server that starts, stops or takes no writes, too many connections, a serialization failure or a
    /// deadlock. Full disks, locks that were not to be waited for, a cancellation by an administrator, and whatever else a
    /// statement may be about, are not.
    /// </summary>
    public static bool IsPassingForStatement(Exception fault) => fault switch
    {
        // A function may raise whatever it likes.
        PostgresException { Routine: "exec_stmt_raise" } => false,
        PostgresException e => EndsTheSession(e) || HitsTheTransactionOnly(e) || IsStandby(e),
        NpgsqlException e => e.IsTransient || e.InnerException is ObjectDisposedException,
        _ => false,
    };

    /// <summary>
    /// Whether a fault tells that a connection is gone, leads to the wrong server or has forgotten its statements, and so
    /// probably all that were made before it: a pool that hands them out one by one would fail as often as it has any. That
    /// all of a pool's connections are in use says nothing of them.
    /// </summary>
    public static bool IsLostConnection(Exception fault) => fault switch
    {
        PostgresException { Routine: "exec_stmt_raise" } => false,
        PostgresException e => (EndsTheSession(e) && e.SqlState != PostgresErrorCodes.TooManyConnections) || IsStandby(e) || LostItsStatements(e),
        NpgsqlException e => !IsExhausted(e),
        _ => false,
    };

    /// <summary>
    /// Whether a fault says that the server cannot be had, and nothing of the statement; what one meets that was executed (a
    /// peer of the database's own, a login that may only read, a statement's name) is its own affair.
    /// </summary>
    internal static bool SaysTheServerIsAway(PostgresException e) => e.Routine is not "exec_stmt_raise" && EndsTheSession(e);

    // A source's first session asks for the database's types. Where a pooler loses the server in the middle of the answer and
    // says so in place of its rest, reading it fails in any way, and only where it failed tells what it was about.
    private static bool IsGarbled(Exception fault) => fault.StackTrace?.Contains("Npgsql.NpgsqlDataSource.Bootstrap(", StringComparison.Ordinal) is true;

    // Npgsql says it in words only.
    private static bool IsExhausted(NpgsqlException e) =>
        e.InnerException is TimeoutException && e.Message.StartsWith("The connection pool has been exhausted", StringComparison.Ordinal);

    // Class 08 is about connections: this one where it ends or where a pooler says so, which knows no place in a source, and
    // otherwise one of the statement's own. The two time-outs are those of sessions that idle, which only a stopped process's do.
    private static bool EndsTheSession(PostgresException e) => e.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
            or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections or "25P03"
        || (e.SqlState.StartsWith("08", StringComparison.Ordinal) && (e.InvariantSeverity is not "ERROR" || e.Routine is null)) || e.SqlState == "57P05";

    private static bool HitsTheTransactionOnly(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    // After a failover a connection may lead to the old primary, and a new one to a standby for a while. A server whose disk
    // is nearly full is made read-only too, by whoever looks after it.
    private static bool IsStandby(PostgresException e) => e.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction;

    // Of our own statements: somebody cancelled one, a limit of the role or the database ended it, it met a lock that is
    // not to be waited for, or its session does not know it any more.
    private static bool HitsTheStatementOnly(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.LockNotAvailable || LostItsStatements(e);

    private static bool LostItsStatements(PostgresException e) => e.SqlState == PostgresErrorCodes.InvalidSqlStatementName;
}
