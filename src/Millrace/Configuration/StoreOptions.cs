using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>The store (<c>Millrace:Store</c>).</summary>
public sealed class StoreOptions
{
    /// <summary>
    /// How many buckets new instances are spread over. One is right for one PostgreSQL; a distributed one wants a
    /// multiple of its shards. It can grow at any time, and never shrink. Starts with an idempotency key follow a day later:
    /// by then no process may be left that has the smaller number.
    /// </summary>
    [Range(1, 1024)]
    public int Buckets { get; set; } = 1;

    /// <summary>The most connections to the store at once, for calls of the API and look-ups; the pump has two pools more.</summary>
    [Range(2, 1000)]
    public int PoolSize { get; set; } = 16;

    /// <summary>The most connections for claims, renewals and checkpoints that look rows up by their keys.</summary>
    [Range(1, 1000)]
    public int BatchPoolSize { get; set; } = 6;

    /// <summary>The most connections for checkpoints that park instances or start children.</summary>
    [Range(1, 1000)]
    public int MatchPoolSize { get; set; } = 4;

    /// <summary>How long an idempotency key is remembered.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan IdempotencyWindow { get; set; } = TimeSpan.FromHours(24);

    /// <summary>
    /// How long instances are kept at the least, counted from the end of the week they were started in; null to keep them
    /// for ever. Weeks are let go with their partitions; what still lives of them stays.
    /// </summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "36500.00:00:00")]
    public TimeSpan? Retention { get; set; }

    /// <summary>
    /// How long a request of the API rides out a store that restarts or has cut its connections, before the caller is told
    /// to come back later (503). Requests that could act twice are not tried again.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan FaultTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many starts one statement may carry.</summary>
    [Range(1, 10_000)]
    public int StartBatch { get; set; } = 500;

    /// <summary>How many checkpoints one statement may carry.</summary>
    [Range(1, 10_000)]
    public int CheckpointBatch { get; set; } = 500;

    /// <summary>How many starts may wait to be stored; beyond that callers are told to come back later (503).</summary>
    [Range(1, 1_000_000)]
    public int StartQueue { get; set; } = 10_000;
}
