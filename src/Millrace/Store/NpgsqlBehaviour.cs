using System.Runtime.CompilerServices;
using Npgsql;

namespace Millrace.Store;

/// <summary>
/// How Npgsql treats statements, for the whole process: they reach the server as they are. No client-side parsing, no
/// splitting at semicolons, so a text with two statements is refused by the server instead of being run as two.
/// </summary>
internal static class NpgsqlBehaviour
{
    private const string Switch = "Npgsql.EnableSqlRewriting";

    /// <summary>Whether this process's Npgsql rewrites statements all the same. It decides that once, at its first statement.</summary>
    public static bool Rewrites => RewritesField(null);

    /// <summary>
    /// Makes sure of it. Our own programs are built with the switch (<c>Directory.Build.props</c>); for a host of somebody
    /// else's it is set here, if no statement has been made before.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is too late for that.</exception>
    public static void Apply()
    {
        AppContext.SetSwitch(Switch, false);
        RuntimeHelpers.RunClassConstructor(typeof(NpgsqlCommand).TypeHandle);
        if (Rewrites)
        {
            throw new InvalidOperationException($"Npgsql rewrites the statements of this process, because it was used before Millrace was."
                + $" Set \"{Switch}\" to false in the program's runtimeconfig.json.");
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "EnableSqlRewriting")]
    private static extern ref readonly bool RewritesField(NpgsqlCommand? type);
}
