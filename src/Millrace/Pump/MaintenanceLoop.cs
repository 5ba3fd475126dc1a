using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Millrace.Nodes;

namespace Millrace.Pump;

/// <summary>Maintenance in a process that is left running: the store's own once an hour, receipts as often as they are due.</summary>
internal sealed class MaintenanceLoop(Maintenance maintenance, ReceiptCleaner receipts, TimeProvider time, ILogger<MaintenanceLoop> log) : BackgroundService
{
    internal static readonly TimeSpan Every = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stop = new StopSource(time, stoppingToken);
        await Task.WhenAll(TendAsync(stop.Token), CleanAsync(stop.Token));
    }

    private async Task TendAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(Every, time, stop);
            try
            {
                await maintenance.TendStoreAsync(stop);
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                log.MaintenanceFailed(Every, e);
            }
        }
    }

    private async Task CleanAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(receipts.Pause, time, stop);
            await receipts.RunAsync(stop);
        }
    }
}
