using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>The pump of a process that is left running: one loop for as long as it lives.</summary>
internal sealed class InstancePump(RunServices services, PumpSignal signal, WorkerName worker, IOptions<MillraceOptions> options) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Pump.Enabled)
            return;
        using var loop = new PumpLoop(services, signal, worker);
        await loop.ServeAsync(stoppingToken);
    }
}
