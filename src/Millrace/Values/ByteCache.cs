using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Millrace.Values;

/// <summary>
/// Remembers what costs something to make, up to a number of bytes. When it is full it begins anew, which costs a little
/// work; looking takes no lock. What is larger than the whole is remembered alone, or it would be made again every time.
/// </summary>
/// <typeparam name="TKey">By what it is found.</typeparam>
/// <typeparam name="TValue">What is remembered.</typeparam>
/// <param name="capacity">How many bytes may be held.</param>
/// <param name="comparer">Compares keys; null for the usual way.</param>
public sealed class ByteCache<TKey, TValue>(long capacity, IEqualityComparer<TKey>? comparer = null)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, TValue> known = new(comparer);
    private readonly Lock adding = new();
    private long held;

    /// <summary>About how many bytes are held.</summary>
    public long Bytes => Interlocked.Read(ref held);

    /// <summary>Looks for what is remembered.</summary>
    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value) => known.TryGetValue(key, out value);

    /// <summary>Looks for what is remembered, by a key in another form, which the comparer knows.</summary>
    public bool TryGet<TOther>(TOther key, [MaybeNullWhen(false)] out TValue value)
        where TOther : notnull, allows ref struct => known.GetAlternateLookup<TOther>().TryGetValue(key, out value);

    /// <summary>Remembers something, unless the key is known already.</summary>
    public void Add(TKey key, TValue value, long bytes)
    {
        lock (adding)
        {
            if (known.ContainsKey(key))
                return;
            if (held > 0 && held + bytes > capacity)
            {
                known.Clear();
                held = 0;
            }

            known[key] = value;
            held += bytes;
        }
    }
}
