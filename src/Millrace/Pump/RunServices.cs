using Microsoft.Extensions.Logging;
using Millrace.Configuration;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>What every run of a process works with.</summary>
internal sealed record RunServices(
    Database Database, PumpOptions Settings, LimitOptions Limits, ClaimStore Claims, DueStore Dues, CheckpointStore Checkpoints, NodeExecutors Nodes, WorkflowStore Workflows,
    InstanceStore Instances, SignalStore Signals, ChildStore Children, ItemScopes Items, StoreClock Clock, TimeProvider Time, RunRelay Relay, OutcomeHub Outcomes, ILogger Log)
{
    /// <summary>Rides out what passes by itself.</summary>
    public Patience Patience { get; } = new(Time, StoreFaults.IsPassing, Database.Suspect);

    /// <summary>Lets what is taken over begin.</summary>
    public TakeoverGate Takeovers { get; } = new(Settings.MaxTakeovers, Time);

    /// <summary>Rebuilds the state of an instance that is taken over.</summary>
    public Rebuilder Rebuilder { get; } = new(Instances, Signals);
}

/// <summary>How a run let go of its instance.</summary>
internal enum RunEnd
{
    /// <summary>It ended.</summary>
    Finished,

    /// <summary>It waits for a time or an event.</summary>
    Parked,

    /// <summary>It waits, and what it waits for has come already.</summary>
    ParkedReady,

    /// <summary>The lease was lost; somebody else has it, or will.</summary>
    Lost,

    /// <summary>It was given back as it stands: the process stops, or an error of our own kept it from being run.</summary>
    HandedBack,
}
