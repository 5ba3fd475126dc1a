using Millrace.Values;
using Npgsql;

namespace Millrace.Store;

/// <summary>A row of a claim's answer.</summary>
/// <param name="reader">Stands on it.</param>
internal sealed class LeasedRow(NpgsqlDataReader reader)
{
    /// <summary>When the claim's transaction began.</summary>
    public DateTimeOffset Begun { get; } = reader.Time(0);

    /// <summary>The store's time.</summary>
    public DateTimeOffset Now { get; } = reader.Time(1);

    /// <summary>Which instance.</summary>
    public Guid Id => Key.Instance;

    /// <summary>Whose it is.</summary>
    public Guid Organisation { get; } = reader.GetGuid(3);

    /// <summary>How urgent it is.</summary>
    public short Priority { get; } = reader.GetInt16(4);

    /// <summary>Since when it has been ready.</summary>
    public DateTimeOffset ReadyAt { get; } = reader.Time(5);

    /// <summary>The lease.</summary>
    public LeaseKey Key { get; } = new(reader.GetGuid(2), reader.GetInt64(6));

    /// <summary>Its facts; null where it has started in another week.</summary>
    public ClaimedFacts? Facts { get; } = reader.IsDBNull(18) ? null : new(reader, 18);

    private readonly int claims = reader.GetInt16(7);
    private readonly DateTimeOffset startedAt = reader.Time(8);
    private readonly Json? snapshot = reader.JsonOrNull(9);
    private readonly bool isTakenOver = reader.GetBoolean(10);
    private readonly Json? fault = reader.JsonOrNull(11);
    private readonly Standing standing = ClaimStore.ReadStanding(reader, 12);

    /// <summary>The instance with its facts.</summary>
    public ClaimedInstance With(ClaimedFacts facts) => new(
        Id, Key.Token, claims, startedAt, standing, snapshot, facts.Organisation, facts.DefinitionHash, facts.Workflow, facts.Version, facts.Label,
        facts.Priority, facts.Input, facts.Variables, facts.Membership, facts.Entry, facts.Depth, isTakenOver, fault);
}

/// <summary>What does not change of a claimed instance.</summary>
/// <param name="reader">Stands on a row with it.</param>
/// <param name="at">The column of the id, the first of its columns.</param>
internal sealed class ClaimedFacts(NpgsqlDataReader reader, int at)
{
    public Guid Organisation { get; } = reader.GetGuid(at + 1);

    public byte[] DefinitionHash { get; } = reader.GetFieldValue<byte[]>(at + 2);

    public string? Workflow { get; } = reader.TextOrNull(at + 3);

    public int? Version { get; } = reader.IsDBNull(at + 4) ? null : reader.GetInt32(at + 4);

    public string? Label { get; } = reader.TextOrNull(at + 5);

    public short Priority { get; } = reader.GetInt16(at + 6);

    public Json? Input { get; } = reader.JsonOrNull(at + 7);

    public Json Variables { get; } = reader.JsonOrNull(at + 8)!;

    public Membership? Membership { get; } =
        reader.IsDBNull(at + 9) ? null : new(reader.GetGuid(at + 9), reader.GetGuid(at + 10), reader.GetInt32(at + 11));

    public string? Entry { get; } = reader.TextOrNull(at + 12);

    public short Depth { get; } = reader.GetInt16(at + 13);
}
