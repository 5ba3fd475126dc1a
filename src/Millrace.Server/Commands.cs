using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Server.LocalPostgres;
using Millrace.Store;
using Npgsql;

namespace Millrace.Server;

/// <summary>What the commands have in common.</summary>
internal static class Commands
{
    /// <summary>Runs a command; what an operator can put right ends it with one line and exit code 1.</summary>
    public static async Task<int> RunAsync(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
        catch (Exception e) when (Explain(e) is { } line)
        {
            await Console.Error.WriteLineAsync(line);
            return 1;
        }
    }

    private static string? Explain(Exception fault) => fault switch
    {
        SettingException or LocalPostgresException or SchemaException => fault.Message,
        OptionsValidationException e => string.Join(" ", e.Failures),
        PostgresException e => $"The database refused: {e.MessageText} ({e.SqlState}). Check Millrace:ConnectionString.",
        IOException { InnerException: SocketException or Microsoft.AspNetCore.Connections.AddressInUseException } e =>
            $"{e.Message} Choose another place with --urls, such as --urls http://127.0.0.1:7072.",
        _ => null,
    };
}
