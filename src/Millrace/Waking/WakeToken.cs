using System.Globalization;
using System.Text.Json;

namespace Millrace.Waking;

/// <summary>Why a drain is called.</summary>
public enum WakeReason
{
    /// <summary>Something was started, or told to go on.</summary>
    Ready,

    /// <summary>A drain has left something that is ready.</summary>
    More,

    /// <summary>A timer of an instance is due.</summary>
    Due,
}

/// <summary>A message that calls a drain. It carries no work: whoever gets it, and however often, looks into the store.</summary>
/// <param name="Reason">Why.</param>
/// <param name="At">By when what it stands for is ready, by the sender's clock.</param>
public sealed record WakeToken(WakeReason Reason, DateTimeOffset At)
{
    // In the order of the reasons.
    private static readonly string[] Names = ["ready", "more", "due"];

    /// <summary>The message's text: <c>{"reason":"ready","at":"2026-05-04T03:02:01.0000000Z"}</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $$"""{"reason":"{{Names[(int)Reason]}}","at":"{{At.UtcDateTime:O}}"}""");

    /// <summary>Reads a message; null where it is none of ours, which calls a drain all the same.</summary>
    public static WakeToken? Parse(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            return root.ValueKind is JsonValueKind.Object
                && root.TryGetProperty("at", out var at) && at.ValueKind is JsonValueKind.String && at.TryGetDateTimeOffset(out var time)
                && root.TryGetProperty("reason", out var reason) && reason.ValueKind is JsonValueKind.String
                && Array.IndexOf(Names, reason.GetString()) is >= 0 and var known
                ? new((WakeReason)known, time)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
