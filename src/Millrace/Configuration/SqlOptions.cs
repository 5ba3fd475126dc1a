using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>SQL nodes (<c>Millrace:Sql</c>).</summary>
public sealed class SqlOptions
{
    /// <summary>The most connections at once for each named connection.</summary>
    [Range(1, 1000)]
    public int PoolSize { get; set; } = 16;

    /// <summary>How long a statement may run where its node sets no time-out.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long a statement may wait for one of its connection's places, which are shared out by organisation and by
    /// instance, before its node fails with <c>busy</c>. A time-out of the node's own ends the wait earlier.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan PlaceTimeout { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// How long a statement's database may be away, restart, refuse connections or roll back for a deadlock before the
    /// node fails. A time-out of the node's own ends it earlier.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan FaultTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How long the receipt of a statement that wrote is kept, at the least. It must outlast whatever a worker may sleep
    /// through before it finds out that its work was taken over.
    /// </summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan ReceiptRetention { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How often PostgreSQL looks whether the process that sent a statement is still there, so that the statement of a
    /// dead one ends. Zero turns it off, which a PostgreSQL on Windows needs.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan ClientCheckInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How many rows a result may have.</summary>
    [Range(1, 10_000_000)]
    public int MaxRows { get; set; } = 100_000;
}
