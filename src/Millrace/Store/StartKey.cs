using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Millrace.Store;

/// <summary>An idempotency key and the request that it came with: a start, or a whole batch.</summary>
/// <param name="Organisation">Whose.</param>
/// <param name="Key">The key.</param>
/// <param name="Fingerprint">A hash of the request, to tell a repeated one from another one under the same key.</param>
public sealed record StartKey(Guid Organisation, string Key, byte[] Fingerprint)
{
    internal (Guid, string) Name => (Organisation, Key);

    internal static StartKey Of(StartRequest request) => new(request.Organisation, request.IdempotencyKey!, request.Fingerprint);

    /// <summary>The key of a batch: its fingerprint covers all items in their order, and no single start has the same one.</summary>
    /// <param name="organisation">Whose.</param>
    /// <param name="key">The key.</param>
    /// <param name="items">The items, each with its own fingerprint.</param>
    public static StartKey OfBatch(Guid organisation, string key, IEnumerable<StartRequest> items)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("batch"u8);
        foreach (var item in items)
            hash.AppendData(item.Fingerprint);
        return new(organisation, key, hash.GetHashAndReset());
    }

    /// <summary>Where the key's row is while there are so many buckets.</summary>
    internal short BucketAmong(int buckets)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{Organisation:N}{Key}"));
        return (short)(BinaryPrimitives.ReadUInt32BigEndian(hash) % (uint)buckets);
    }
}
