using System.Collections.Immutable;
using Millrace.Execution;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>What a run does next. The hierarchy is closed.</summary>
internal abstract record RunStep;

/// <summary>Get what is needed before it can begin.</summary>
/// <param name="WithHistory">Whether the history may go beyond the snapshot.</param>
/// <param name="WithLeftGroups">Whether children that live are asked for: those of an instance that ends without a look at its history.</param>
internal sealed record Load(bool WithHistory, bool WithLeftGroups = false) : RunStep;

/// <summary>Begin executions, and stop those that nobody waits for.</summary>
internal sealed record Begin(ImmutableArray<Command> Commands) : RunStep;

/// <summary>Make durable what the instance has come to.</summary>
/// <param name="Checkpoint">What.</param>
/// <param name="IsLast">Whether the run lets go of the instance with it.</param>
internal sealed record Write(Checkpoint Checkpoint, bool IsLast) : RunStep;

/// <summary>Read the signals after a number.</summary>
internal sealed record ReadSignals(long After) : RunStep;

/// <summary>See how the children stand that nodes wait for.</summary>
internal sealed record ReadChildren(Journal Journal, long Counted) : RunStep;

/// <summary>Take in that time has passed.</summary>
internal sealed record Tick : RunStep;

/// <summary>See what has been asked of the instance.</summary>
internal sealed record Look : RunStep;

/// <summary>Wait until something happens, or a time has come.</summary>
internal sealed record Wait(DateTimeOffset? Until) : RunStep;

/// <summary>Give the instance back as it stands.</summary>
/// <param name="Fault">Why; null where the process stops.</param>
/// <param name="Pause">How long nobody is to claim it.</param>
internal sealed record Release(RunFault? Fault, TimeSpan Pause) : RunStep;

/// <summary>It is over.</summary>
internal sealed record Leave(RunEnd End) : RunStep;
