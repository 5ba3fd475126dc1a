using System.Runtime.CompilerServices;
using Npgsql;

namespace Millrace.Store;

/// <summary>A part of a list.</summary>
/// <param name="Items">What it contains; at least one item, where there is any.</param>
/// <param name="HasMore">Whether something follows.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, bool HasMore);

/// <summary>
/// Reads lists whose rows may be large: a page ends at a number of rows or where its bytes have grown beyond a few MiB,
/// whichever comes first.
/// </summary>
internal static class Pages
{
    /// <summary>What a page may take; the row that would go beyond begins the next one.</summary>
    public const int Bytes = 4 << 20;

    // Whatever the server sends beyond a page's end crosses the network for nothing, so more rows than these are asked
    // for only once it is known how large they are. A usual page fits in, and is one statement.
    internal const int FirstRows = 64;

    /// <summary>Reads one page.</summary>
    /// <param name="limit">How many rows it may have.</param>
    /// <param name="rows">So many rows after a row, in order; from the beginning after null.</param>
    /// <param name="size">About how many bytes a row takes.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<Page<T>> ReadAsync<T>(
        int limit, Func<T?, int, IAsyncEnumerable<T>> rows, Func<T, long> size, CancellationToken cancel)
        where T : class
    {
        var page = new List<T>();
        var bytes = 0L;
        // One more than the page may have tells whether something follows.
        for (var asked = Math.Min(limit + 1, FirstRows); ;)
        {
            var last = page.Count;
            await foreach (var row in rows(last == 0 ? null : page[^1], asked).WithCancellation(cancel))
            {
                if (page.Count > 0 && (page.Count == limit || bytes + size(row) > Bytes))
                    return new(page, true);
                page.Add(row);
                bytes += size(row);
            }

            if (page.Count - last < asked)
                return new(page, false);
            asked = RowsThatFit(bytes, page.Count, limit);
        }
    }

    /// <summary>How many rows to ask for next: as many as fit in if they are like those so far.</summary>
    public static int RowsThatFit(long bytes, int rows, int limit) =>
        (int)Math.Clamp((Bytes - bytes) / Math.Max(1, bytes / rows), 1, limit + 1 - rows);

    /// <summary>The rows of a statement, one at a time; what is not wanted any more is not kept either.</summary>
    public static async IAsyncEnumerable<T> RowsAsync<T>(
        NpgsqlCommand command, Func<NpgsqlDataReader, T> read, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await using (command)
        {
            await using var reader = await command.ExecuteReaderAsync(cancel);
            while (await reader.ReadAsync(cancel))
                yield return read(reader);
        }
    }
}
