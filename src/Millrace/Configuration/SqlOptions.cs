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

    /// <summary>How many rows a result may have.</summary>
    [Range(1, 10_000_000)]
    public int MaxRows { get; set; } = 100_000;
}
