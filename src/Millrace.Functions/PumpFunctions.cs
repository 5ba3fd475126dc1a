using Microsoft.Azure.Functions.Worker;
using Millrace.Pump;
using Millrace.Waking;

namespace Millrace.Functions;

/// <summary>
/// What runs instances. The wake queue calls drains within seconds; the schedule finds whatever no token has told of. They
/// may overlap, in one process and in many.
/// </summary>
public sealed class PumpFunctions(Waker waker, Maintenance maintenance)
{
    /// <summary>Answers a wake token.</summary>
    [Function("Wake")]
    [QueueOutput("%Millrace:Wake:Queue%")]
    public Task<string[]> Wake([QueueTrigger("%Millrace:Wake:Queue%")] string token, CancellationToken cancel) =>
        waker.WakeAsync(token, cancel);

    /// <summary>Looks for work that no token has told of.</summary>
    [Function("Pump")]
    [QueueOutput("%Millrace:Wake:Queue%")]
    public Task<string[]> Pump([TimerTrigger("%Millrace:PumpSchedule%")] TimerInfo timer, CancellationToken cancel) =>
        waker.PumpAsync(cancel);

    /// <summary>Sees to partitions, retention, idempotency keys and receipts.</summary>
    [Function("Maintenance")]
    public Task Maintenance([TimerTrigger("%Millrace:MaintenanceSchedule%")] TimerInfo timer, CancellationToken cancel) =>
        maintenance.RunAsync(cancel);
}
