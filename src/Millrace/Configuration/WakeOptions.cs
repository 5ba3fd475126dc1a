using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>Wake tokens (<c>Millrace:Wake</c>): messages that call a drain in hosts that are called and not left running.</summary>
public sealed class WakeOptions
{
    /// <summary>The storage queue that carries them.</summary>
    [RegularExpression("[a-z0-9](-?[a-z0-9]){2,62}", ErrorMessage = "must be the name of a storage queue: 3 to 63 lower-case letters, digits and single dashes")]
    public string Queue { get; set; } = "millrace-wake";

    /// <summary>A process sends tokens for what becomes ready at most once in this time, unless much becomes ready at once.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:00:30")]
    public TimeSpan Spacing { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a drain that was called by a token goes on looking once it has found nothing. What becomes ready within the
    /// spacing relies on it.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan Linger { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>One more token is sent for each so many instances that become ready together.</summary>
    [Range(1, 1_000_000)]
    public int InstancesPerToken { get; set; } = 500;

    /// <summary>How many tokens one process sends within the spacing at the most.</summary>
    [Range(1, 1000)]
    public int MostTokens { get; set; } = 8;

    /// <summary>
    /// A timer of an instance that is due within this time gets a token of its own, which the queue holds back until then.
    /// Later ones wait for the pump's schedule to come near them, so this must be longer than that schedule's period.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan Horizon { get; set; } = TimeSpan.FromSeconds(90);
}
