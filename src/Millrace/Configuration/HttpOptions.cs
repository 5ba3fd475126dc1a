using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>HTTP nodes (<c>Millrace:Http</c>).</summary>
public sealed class HttpOptions
{
    /// <summary>
    /// Whether requests may go to private, loopback, link-local and reserved addresses. Off, because workflows of many
    /// authors run in one network; on for a laptop.
    /// </summary>
    public bool AllowPrivateNetworks { get; set; }

    /// <summary>How long a request may take, response included, where its node sets no time-out.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many requests may be under way to one host at once.</summary>
    [Range(1, 10_000)]
    public int ConcurrencyPerHost { get; set; } = 64;

    /// <summary>After how many failures in a row requests to a host are held back for a while.</summary>
    [Range(2, 1_000_000)]
    public int BreakerFailures { get; set; } = 20;

    /// <summary>How long they are held back.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakerPause { get; set; } = TimeSpan.FromSeconds(15);
}
