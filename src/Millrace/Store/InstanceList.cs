namespace Millrace.Store;

/// <summary>A page of instances, newest first.</summary>
/// <param name="Instances">What was found; may be fewer than asked for, or none, though more follow.</param>
/// <param name="Next">The id before which the next page begins; null where nothing follows.</param>
public sealed record InstanceListPage(IReadOnlyList<InstanceView> Instances, Guid? Next);

/// <summary>Lists instances, newest first, by key and never by offset. <see cref="InstanceListSql"/> says how.</summary>
public sealed class InstanceList(Database database)
{
    /// <summary>How many rows are looked at for a page where not all of them match: about as many as take a tenth of a second.</summary>
    internal int RowsAPage { get; init; } = 10_000;

    /// <summary>One page: as many as asked for, unless its bytes or the rows that were looked at for it come to their limit before.</summary>
    public async Task<InstanceListPage> PageAsync(InstanceFilter filter, CancellationToken cancel)
    {
        var page = new List<InstanceView>();
        var bytes = 0L;
        // One more than the page may have tells whether something follows.
        for (var asked = Math.Min(filter.Limit + 1, Pages.FirstRows); ;)
        {
            var (found, seenTo, isCut) = await ReadAsync(filter with { Before = page.Count == 0 ? filter.Before : page[^1].Id, Limit = asked }, cancel);
            foreach (var view in found)
            {
                if (page.Count > 0 && (page.Count == filter.Limit || bytes + view.Bytes > Pages.Bytes))
                    return new(page, page[^1].Id);
                page.Add(view);
                bytes += view.Bytes;
            }

            if (isCut)
                return new(page, page[^1].Id);
            if (seenTo is not null || found.Count < asked)
                return new(page, seenTo);
            asked = Pages.RowsThatFit(bytes, page.Count, filter.Limit);
        }
    }

    // A bucket that was looked through for long enough has a row that says how far. Beyond the one that was left first the
    // others' instances would stand without its own, so they are left for the next page.
    // No more is held than a page may take, whatever comes.
    private async Task<(IReadOnlyList<InstanceView> Found, Guid? SeenTo, bool IsCut)> ReadAsync(InstanceFilter filter, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(InstanceListSql.Of(filter, RowsAPage / database.Buckets));
        command.Parameters.Add(Columns.Value(filter.Organisation));
        command.Parameters.Add(Columns.Value(filter.Limit));
        command.Parameters.Add(Columns.Value(database.Buckets - 1));
        command.Parameters.Add(Columns.Value(filter.Before ?? Guid.AllBitsSet));
        foreach (var text in new[] { filter.Label, filter.Workflow })
        {
            if (text is not null)
                command.Parameters.Add(Columns.Value(text));
        }

        var found = new SortedDictionary<Guid, InstanceView>();
        var bytes = 0L;
        var isCut = false;
        Guid? seenTo = null;
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
        {
            if (reader.IsDBNull(InstanceListSql.SeenTo))
                Keep(InstanceStore.Read(reader));
            else if (reader.GetGuid(InstanceListSql.SeenTo) is var id && (seenTo is null || id > seenTo))
                seenTo = id;
        }

        // What was left out for its bytes is older than all that was kept: where that is left for the next page, nothing is cut.
        isCut = isCut && (seenTo is null || found.First().Key >= seenTo);
        return ([.. found.Values.Where(view => seenTo is null || view.Id >= seenTo).Reverse()], seenTo, isCut);

        void Keep(InstanceView view)
        {
            found.Add(view.Id, view);
            for (bytes += view.Bytes; bytes > Pages.Bytes && found.Count > 1; isCut = true)
            {
                var (id, oldest) = found.First();
                bytes -= oldest.Bytes;
                found.Remove(id);
            }
        }
    }
}
