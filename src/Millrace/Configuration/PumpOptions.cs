using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>The pump (<c>Millrace:Pump</c>): what claims instances and runs them.</summary>
public sealed class PumpOptions
{
    /// <summary>Whether this process runs instances at all, or only accepts them.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>How long an instance stays with a worker that is not heard of. Renewed after a third of it.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many instances one claim may take.</summary>
    [Range(1, 10_000)]
    public int ClaimBatch { get; set; } = 500;

    /// <summary>How many instances this process works on at once.</summary>
    [Range(1, 100_000)]
    public int MaxInstances { get; set; } = 2000;

    /// <summary>
    /// How much the inputs, variables and results of all instances worked on may take in memory before no more are claimed,
    /// in bytes. One instance is always worked on, whatever its size.
    /// </summary>
    [Range(1 << 20, 1L << 40)]
    public long MaxStateBytes { get; set; } = 256L << 20;

    /// <summary>The longest pause between two looks into the store while there is nothing to do.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Waits up to this long are sat out in memory; longer ones park the instance.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan HoldWait { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long running nodes may take to end when the process stops; then their instances are handed back.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long one drain may take, in hosts that are called and not left running. Together with what it may take to hand
    /// back, it must stay below what the host allows a call.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan DrainBudget { get; set; } = TimeSpan.FromSeconds(55);

    /// <summary>How often running an instance may be taken over in a row without a sign of life before it is failed.</summary>
    [Range(1, 1000)]
    public int MaxTakeovers { get; set; } = 5;

    /// <summary>How long a ready instance may wait for its claim before this process reports that it is not ready.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan MaxLag { get; set; } = TimeSpan.FromMinutes(5);
}
