using Npgsql;

namespace Millrace.Nodes;

/// <summary>A database takes no session of a login, which does not pass by itself: a wrong password, a database that is not there.</summary>
internal sealed class SessionRefusedException(PostgresException cause) : Exception(cause.Message, cause)
{
    /// <summary>The SQLSTATE.</summary>
    public string Code => cause.SqlState;
}
