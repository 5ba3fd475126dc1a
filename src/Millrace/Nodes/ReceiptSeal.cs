using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Nodes;

/// <summary>
/// Authenticates receipts with the secret of a store: nobody who does not have it can write one in advance, or change the
/// result of one without being found out.
/// </summary>
/// <param name="secret">Known to the processes of the store.</param>
/// <param name="keyedSince">The keys of instances that began before are their effects' ids, as earlier versions know them.</param>
internal sealed class ReceiptSeal(byte[] secret, DateTime keyedSince)
{
    private readonly long keyedSince = keyedSince == DateTime.MinValue
        ? long.MinValue
        : new DateTimeOffset(DateTime.SpecifyKind(keyedSince, DateTimeKind.Utc)).ToUnixTimeMilliseconds();

    /// <summary>The receipt of an execution.</summary>
    public Receipt Of(NodeContext context, NodeKey key)
    {
        var effect = NodeContext.EffectOf(context.Instance, key);
        return BegunAt(context.Instance) < keyedSince
            ? new(effect, IsKeyed: false, context, key)
            : new(new Guid(Hash("key"u8, effect, []).AsSpan(0, 16), bigEndian: true), IsKeyed: true, context, key);
    }

    /// <summary>A result as a receipt keeps it: <c>{"seal":"…","result":…}</c>.</summary>
    public Json Seal(Receipt receipt, Json result) => receipt.IsKeyed ? Json.FromUtf8(Sealed(receipt, result.Utf8.Span)) : result;

    /// <summary>The result that a receipt keeps; null if it is not as we have sealed it, to the letter.</summary>
    public Json? Open(Receipt receipt, Json kept)
    {
        if (!receipt.IsKeyed)
            return kept;
        var text = kept.Utf8;
        if (text.Length <= SealedAround)
            return null;
        var result = text[(SealedAround - 1)..^1];
        return CryptographicOperations.FixedTimeEquals(Sealed(receipt, result.Span), text.Span) ? Json.FromUtf8(result.ToArray()) : null;
    }

    private static readonly int SealedAround = "{\"seal\":\"\",\"result\":}".Length + (2 * HMACSHA256.HashSizeInBytes);

    private byte[] Sealed(Receipt receipt, ReadOnlySpan<byte> result)
    {
        var text = new byte[SealedAround + result.Length];
        var seal = Convert.ToHexStringLower(Hash("seal"u8, receipt.Id, result));
        var begin = Encoding.ASCII.GetBytes($"{{\"seal\":\"{seal}\",\"result\":", text);
        result.CopyTo(text.AsSpan(begin));
        text[^1] = (byte)'}';
        return text;
    }

    private byte[] Hash(ReadOnlySpan<byte> purpose, Guid id, ReadOnlySpan<byte> more)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hash.AppendData(purpose);
        hash.AppendData(id.ToByteArray(bigEndian: true));
        hash.AppendData(more);
        return hash.GetHashAndReset();
    }

    // An instance's id begins with the milliseconds of its start.
    private static long BegunAt(Guid instance)
    {
        Span<byte> bytes = stackalloc byte[16];
        instance.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadInt64BigEndian(bytes) >>> 16;
    }
}
