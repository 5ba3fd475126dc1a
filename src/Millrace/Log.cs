using Microsoft.Extensions.Logging;

namespace Millrace;

/// <summary>Every message that the engine logs.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Applying migration {Name}")]
    public static partial void ApplyingMigration(this ILogger log, string name);

    [LoggerMessage(2, LogLevel.Warning, "The store does not answer ({Message}); trying again in {Pause}")]
    public static partial void StoreDoesNotAnswer(this ILogger log, string message, TimeSpan pause);

    [LoggerMessage(3, LogLevel.Information, "The store answers again")]
    public static partial void StoreAnswersAgain(this ILogger log);

    [LoggerMessage(4, LogLevel.Warning, "The lease of instance {Instance} is lost; its work here stops")]
    public static partial void LeaseLost(this ILogger log, Guid instance);

    [LoggerMessage(5, LogLevel.Error, "Instance {Instance} could not be run")]
    public static partial void RunBroke(this ILogger log, Guid instance, Exception exception);

    [LoggerMessage(6, LogLevel.Information, "Pump {Worker} runs up to {MaxInstances} instances at once")]
    public static partial void PumpStarted(this ILogger log, string worker, int maxInstances);

    [LoggerMessage(7, LogLevel.Information, "Pump {Worker} stopped; {HandedBack} instances were handed back")]
    public static partial void PumpStopped(this ILogger log, string worker, int handedBack);

    [LoggerMessage(8, LogLevel.Error, "Maintenance failed; it is tried again in {Pause}")]
    public static partial void MaintenanceFailed(this ILogger log, TimeSpan pause, Exception exception);

    [LoggerMessage(9, LogLevel.Warning, "Instance {Instance} was failed: {Claims} workers in a row took it and were not heard of again")]
    public static partial void Poisoned(this ILogger log, Guid instance, int claims);

    [LoggerMessage(10, LogLevel.Error, "Node {Path} of instance {Instance} could not be executed")]
    public static partial void NodeBroke(this ILogger log, Guid instance, string path, Exception exception);

    [LoggerMessage(11, LogLevel.Error, "Instances could not be claimed; trying again in {Pause}")]
    public static partial void ClaimBroke(this ILogger log, TimeSpan pause, Exception exception);

    [LoggerMessage(12, LogLevel.Error, "Leases could not be renewed")]
    public static partial void RenewalBroke(this ILogger log, Exception exception);

    [LoggerMessage(45, LogLevel.Error, "Instance {Instance} cannot be run: its row in millrace.instance is missing. Bring it back, as from a backup, or delete the one in millrace.work; it is looked at again in {Pause}")]
    public static partial void FactsMissing(this ILogger log, Guid instance, TimeSpan pause);

    [LoggerMessage(14, LogLevel.Warning, "A late checkpoint of instance {Instance} was refused: its lease is somebody else's; nothing was changed")]
    public static partial void CheckpointRefused(this ILogger log, Guid instance);

    [LoggerMessage(15, LogLevel.Information, "{Count} receipts of connection {Connection} were cleared away")]
    public static partial void ReceiptsCleared(this ILogger log, long count, string connection);

    [LoggerMessage(16, LogLevel.Warning, "Receipts of connection {Connection} could not be cleared away; it is tried again in {Pause}")]
    public static partial void ReceiptsNotCleared(this ILogger log, string connection, TimeSpan pause, Exception exception);

    [LoggerMessage(17, LogLevel.Error, "{Count} instances could not be handed back in time; their leases run out")]
    public static partial void NotHandedBack(this ILogger log, int count);

    [LoggerMessage(18, LogLevel.Information, "The partitions {Suffix} were let go: they are older than {Age}, and what had ended in them is gone")]
    public static partial void WeekLetGo(this ILogger log, string suffix, TimeSpan age);

    [LoggerMessage(40, LogLevel.Information, "Much still lives in the partitions {Suffix}, which stay; {Count} ended instances in them are gone")]
    public static partial void WeekThinned(this ILogger log, string suffix, long count);

    [LoggerMessage(41, LogLevel.Warning, "The partitions {Suffix} could not be let go in {Tries} tries, because somebody uses them or the store is busy; it is tried again next time")]
    public static partial void WeekInUse(this ILogger log, string suffix, int tries);

    [LoggerMessage(42, LogLevel.Information, "Signals and children of {Count} instances that have gone were cleared away")]
    public static partial void LeftoversCleared(this ILogger log, long count);

    [LoggerMessage(43, LogLevel.Information, "{Count} definitions that nothing refers to were removed")]
    public static partial void DefinitionsRemoved(this ILogger log, long count);

    [LoggerMessage(44, LogLevel.Warning, "New partitions could not be made now, because somebody uses the tables; it is tried again in {Pause}")]
    public static partial void PartitionsNotMade(this ILogger log, TimeSpan pause);

    [LoggerMessage(19, LogLevel.Information, "Drained: {Claimed} instances claimed in {Elapsed}; {HandedBack} were handed back")]
    public static partial void Drained(this ILogger log, int claimed, TimeSpan elapsed, int handedBack);

    [LoggerMessage(20, LogLevel.Warning, "A wake token could not be sent ({Message}); what it stands for waits for the pump's schedule")]
    public static partial void TokenNotSent(this ILogger log, string message);

    [LoggerMessage(21, LogLevel.Warning, "Millrace:Sizing {Problem}")]
    public static partial void TooFewConnections(this ILogger log, string problem);

    [LoggerMessage(13, LogLevel.Error, "Handler {Handler} threw at {Path} of instance {Instance}")]
    public static partial void HandlerThrew(this ILogger log, string handler, Guid instance, string path, Exception exception);

    [LoggerMessage(31, LogLevel.Warning, "The database of connection {Connection} could not be reached, {Tries} times")]
    public static partial void DatabaseNotReached(this ILogger log, string connection, int tries, Exception exception);

    [LoggerMessage(32, LogLevel.Warning, "Node {Path} of instance {Instance} names the connection {Connection}, which is not among {Known}")]
    public static partial void ConnectionUnknown(this ILogger log, string path, Guid instance, string connection, string known);
}
