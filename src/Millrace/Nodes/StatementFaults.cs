using Npgsql;

namespace Millrace.Nodes;

/// <summary>What an error of a statement, or of what is sent with it, means for the way it is executed.</summary>
internal static class StatementFaults
{
    /// <summary>
    /// Whether what its session had prepared is gone, is there already, or has another result now. Nothing was done yet. Of a
    /// session without prepared statements of ours only a statement's author can say so, of his own ones.
    /// </summary>
    public static bool IsStale(PostgresException e, SqlConnection connection, string text) =>
        connection.Habits.Of(text) is not Habit.Alone
        && (e is { SqlState: PostgresErrorCodes.FeatureNotSupported, Routine: "RevalidateCachedQuery" }
            || e.SqlState is PostgresErrorCodes.InvalidSqlStatementName or PostgresErrorCodes.DuplicatePreparedStatement && !connection.IsWaryOf(text));

    /// <summary>Whether the server says so, and not a function that raises an error of that code for reasons of its own.</summary>
    public static bool CannotRunInTransaction(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.ActiveSqlTransaction or PostgresErrorCodes.InvalidTransactionTermination && e.Routine is not "exec_stmt_raise";

    /// <summary>Whether receipts cannot be kept there any more.</summary>
    public static bool IsUnusable(PostgresException e, Receipts table) =>
        table.IsAbout(e) && e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InsufficientPrivilege;

    /// <summary>Whether an execution has its receipt already.</summary>
    public static bool IsDouble(PostgresException e, Receipts table) =>
        table.IsAbout(e) && e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.InvalidTextRepresentation;
}
