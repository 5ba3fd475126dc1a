using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// Clears receipts away, in every database that SQL nodes write to, once they are older than
/// <see cref="SqlOptions.ReceiptRetention"/> and can never be asked for again: the execution is in the history, or its
/// instance has ended for good. Receipts of other stores are left to them.
/// </summary>
internal sealed class ReceiptCleaner(
    SqlConnections connections, ReceiptStore receipts, IOptions<MillraceOptions> options, ILogger<ReceiptCleaner> log)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);
    private readonly TimeSpan retention = options.Value.Sql.ReceiptRetention;

    /// <summary>Goes once through all connections; returns how many receipts went.</summary>
    public async Task<long> RunAsync(CancellationToken cancel)
    {
        var all = 0L;
        foreach (var name in connections.Names)
        {
            try
            {
                var gone = await CleanAsync(connections.Find(name)!, cancel);
                if (gone > 0)
                    log.ReceiptsCleared(gone, name);
                all += gone;
            }
            catch (Exception e) when (!cancel.IsCancellationRequested)
            {
                log.ReceiptsNotCleared(name, Pause, e);
            }
        }

        return all;
    }

    /// <summary>How long to wait between two times.</summary>
    public TimeSpan Pause => retention / 4 < LongestPause ? retention / 4 : LongestPause;

    private async Task<long> CleanAsync(SqlConnection connection, CancellationToken cancel)
    {
        await using var session = await connection.Source.OpenConnectionAsync(cancel);
        if (await connection.Receipts.FindAsync(session, afresh: true, cancel) is not { } table)
            return 0;
        var organisations = await receipts.OrganisationsAsync(cancel);
        var gone = 0L;
        OldReceipt? last = null;
        while (true)
        {
            var batch = await ReceiptTable.OldAsync(session, table.Name, retention, last, cancel);
            if (batch is [])
                return gone;
            last = batch[^1];
            var settled = await receipts.SettledAsync([.. batch.Where(receipt => organisations.Contains(receipt.Organisation))], cancel);
            gone += await ReceiptTable.DeleteAsync(session, table.Name, [.. settled.Select(receipt => receipt.Id)], cancel);
        }
    }
}
