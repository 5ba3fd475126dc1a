namespace Millrace.Store;

/// <summary>Settings of Npgsql that hold for the process.</summary>
internal static class NpgsqlBehaviour
{
    /// <summary>
    /// Statements reach the server as they are: no client-side parsing, no splitting at semicolons. So a text with two
    /// statements is refused by the server instead of being run as two.
    /// </summary>
    public static void Apply() => AppContext.SetSwitch("Npgsql.EnableSqlRewriting", false);
}
