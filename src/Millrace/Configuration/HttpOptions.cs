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

    /// <summary>How many requests may be under way to one origin at once; they are shared out among organisations and instances.</summary>
    [Range(1, 10_000)]
    public int ConcurrencyPerHost { get; set; } = 64;

    /// <summary>
    /// How many requests to an origin must have failed, nine in ten of all within half a minute, before further ones are
    /// held back for a while. Errors of 500 and above count, and so do connections that fail and time-outs.
    /// </summary>
    [Range(2, 1_000_000)]
    public int BreakerFailures { get; set; } = 20;

    /// <summary>How long they are held back; it takes none of their attempts away. Afterwards all go through, and are counted anew.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakerPause { get; set; } = TimeSpan.FromSeconds(15);
}
