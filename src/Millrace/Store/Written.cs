namespace Millrace.Store;

/// <summary>What became of one item of a flush: its result, or why it was not written.</summary>
/// <param name="Result">The result of what was written.</param>
/// <param name="Fault">Why it was not; null where it was. Items of one transaction that failed have the same one.</param>
internal readonly record struct Written<TResult>(TResult? Result, Exception? Fault = null);

/// <summary>Writes a flush that takes several transactions, each of which succeeds or fails for itself.</summary>
internal static class Transactions
{
    /// <summary>Writes items group by group. What failed in one group is told to its items only.</summary>
    /// <param name="items">What is to be written.</param>
    /// <param name="keyOf">Which items go together in one transaction.</param>
    /// <param name="write">Writes one group in one transaction and says of each item what became of it; throws only where nothing was written.</param>
    /// <returns>What became of each item, in the order of the items.</returns>
    public static async Task<IReadOnlyList<Written<TResult>>> WriteAsync<TItem, TResult, TKey>(
        IReadOnlyList<TItem> items, Func<TItem, TKey> keyOf, Func<TKey, IReadOnlyList<TItem>, Task<IReadOnlyList<Written<TResult>>>> write)
    {
        var written = new Written<TResult>[items.Count];
        foreach (var group in Enumerable.Range(0, items.Count).GroupBy(place => keyOf(items[place])))
        {
            var places = group.ToList();
            try
            {
                var results = await write(group.Key, [.. places.Select(place => items[place])]);
                for (var i = 0; i < places.Count; i++)
                    written[places[i]] = results[i];
            }
            catch (Exception e)
            {
                foreach (var place in places)
                    written[place] = new(default, e);
            }
        }

        return written;
    }
}
