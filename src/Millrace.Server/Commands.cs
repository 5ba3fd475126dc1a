using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Server.LocalPostgres;
using Millrace.Store;
using Npgsql;

namespace Millrace.Server;

/// <summary>What the commands have in common.</summary>
internal static class Commands
{
    /// <summary>
    /// Runs a command until it ends or a signal asks it to; what an operator can put right ends it with one line and exit
    /// code 1. One that is interrupted before it serves ends as by convention, with 128 and the number of the signal.
    /// </summary>
    public static async Task<int> RunAsync(Func<CancellationToken, Task<int>> command)
    {
        var stop = new CancellationTokenSource();
        var code = 0;
        // As the first process of a container it would not be ended by a signal that nobody listens for.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Heed(signal, 130));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Heed(signal, 143));
        void Heed(PosixSignalContext signal, int exit)
        {
            signal.Cancel = true;
            Interlocked.CompareExchange(ref code, exit, 0);
            _ = stop.CancelAsync();
        }

        try
        {
            return await command(stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Stopped, as it was asked to, before it had come to its end.");
            return code;
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
