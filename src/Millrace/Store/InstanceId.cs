using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Millrace.Store;

/// <summary>
/// Ids are UUIDv7 (RFC 9562): 48 bits of milliseconds, then, in place of random bits, 12 bits that count within the
/// millisecond, so that ids of one process rise, and 10 bits with the bucket, so that any id tells where its rows are.
/// The other 52 bits are random.
/// </summary>
public static class InstanceId
{
    // The beginning of the year 9999: behind it calendars end.
    private const long LastMillisecond = 253_370_764_800_000;

    // Milliseconds since 1970 and the counter of the last id, in one number: the greater one is the later one.
    private static long last;

    // Random bytes are fetched many at a time: asking for eight costs nearly as much as asking for a thousand.
    [ThreadStatic]
    private static byte[]? random;

    [ThreadStatic]
    private static int randomLeft;

    /// <summary>A new id in a bucket.</summary>
    public static Guid New(int bucket) => New(bucket, DateTimeOffset.UtcNow);

    internal static Guid New(int bucket, DateTimeOffset now)
    {
        var stamp = Next(now.ToUnixTimeMilliseconds());
        Span<byte> bytes = stackalloc byte[16];
        FillRandom(bytes[8..]);
        BinaryPrimitives.WriteInt64BigEndian(bytes, stamp >> 12 << 16 | 0x7000 | stamp & 0xFFF);

        // The variant's two bits, then the bucket's ten, then four of the random ones.
        var mixed = 0x8000 | bucket << 4 | bytes[9] & 0x0F;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[8..], (ushort)mixed);
        return new(bytes, bigEndian: true);
    }

    /// <summary>The bucket of an id. Any UUID has one, if not one that is in use.</summary>
    public static short BucketOf(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return (short)(BinaryPrimitives.ReadUInt16BigEndian(bytes[8..]) >> 4 & 0x3FF);
    }

    /// <summary>When an id was made, by its own account; null for one that is of no time that there can be.</summary>
    internal static DateTimeOffset? TimeOf(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes) >> 16 & 0xFFFF_FFFF_FFFF;
        return milliseconds < LastMillisecond ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
    }

    /// <summary>The least id of a time: where that time's partition begins.</summary>
    public static Guid LeastAt(DateTimeOffset time)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteInt64BigEndian(bytes, time.ToUnixTimeMilliseconds() << 16);
        return new(bytes, bigEndian: true);
    }

    private static void FillRandom(Span<byte> bytes)
    {
        random ??= new byte[1024];
        if (randomLeft < bytes.Length)
        {
            RandomNumberGenerator.Fill(random);
            randomLeft = random.Length;
        }

        random.AsSpan(random.Length - randomLeft, bytes.Length).CopyTo(bytes);
        randomLeft -= bytes.Length;
    }

    private static long Next(long milliseconds)
    {
        while (true)
        {
            var before = Interlocked.Read(ref last);
            var next = Math.Max(milliseconds << 12, before + 1);
            if (Interlocked.CompareExchange(ref last, next, before) == before)
                return next;
        }
    }
}
