using Millrace.Values;

namespace Millrace.Store;

/// <summary>A request to start an instance.</summary>
public sealed record StartRequest
{
    /// <summary>Whose instance it is.</summary>
    public required Guid Organisation { get; init; }

    /// <summary>The content hash of a definition that is stored already; null to find it by <see cref="Workflow"/>.</summary>
    public byte[]? DefinitionHash { get; init; }

    /// <summary>The name of the workflow; null for a nameless definition.</summary>
    public string? Workflow { get; init; }

    /// <summary>Which version of the workflow; null for the newest.</summary>
    public int? Version { get; init; }

    /// <summary>The caller's own label, to find the instance again.</summary>
    public string? Label { get; init; }

    /// <summary>From 0, the most urgent, to 9.</summary>
    public short Priority { get; init; } = DefaultPriority;

    /// <summary>The input; null for none.</summary>
    public Json? Input { get; init; }

    /// <summary>Variables that go over the organisation's own: an object; null for none.</summary>
    public Json? Variables { get; init; }

    /// <summary>When to begin; null for at once.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>How long to wait before beginning, by the store's clock; null for not at all.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>The key under which this start happens once only; null for none.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>A hash of the request, to tell a repeated one from another one under the same key.</summary>
    public byte[] Fingerprint { get; init; } = [];

    /// <summary>The priority of a start that gives none.</summary>
    public const short DefaultPriority = 5;

    internal int Bytes => 300 + (Input?.Utf8.Length ?? 0) + (Variables?.Utf8.Length ?? 0);
}

/// <summary>What became of a start.</summary>
public abstract record StartOutcome
{
    private protected StartOutcome()
    {
    }
}

/// <summary>The instance is stored.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Repeated">Whether an earlier start under the same key had stored it.</param>
public sealed record StartAccepted(Guid Id, bool Repeated) : StartOutcome;

/// <summary>There is no workflow of that name, or no such version of it.</summary>
public sealed record StartUnknownWorkflow : StartOutcome;

/// <summary>The idempotency key was used with another request.</summary>
public sealed record StartKeyReused : StartOutcome;
