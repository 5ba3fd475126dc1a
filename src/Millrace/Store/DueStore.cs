using Npgsql;

namespace Millrace.Store;

/// <summary>Tells when the next instance of each bucket can be claimed: of all buckets in one round trip.</summary>
internal sealed class DueStore(Database database, LowWater water, StoreClock clock, TimeProvider time)
{
    /// <summary>How long until the next instance of each bucket can be claimed, zero or less where one can be now; null where none waits for a time.</summary>
    public async Task<IReadOnlyList<TimeSpan?>> AskAsync(CancellationToken cancel)
    {
        await using var batch = database.Source.CreateBatch();
        return await AskAsync(batch, null, cancel);
    }

    /// <summary>The same behind another statement, in one round trip with it.</summary>
    /// <param name="batch">Holds the other statement; ours are added.</param>
    /// <param name="first">Reads the other statement's result, and tells whether ours matter; null where there is no other.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Nothing where ours do not matter.</returns>
    public async Task<IReadOnlyList<TimeSpan?>> AskAsync(NpgsqlBatch batch, Func<NpgsqlDataReader, Task<bool>>? first, CancellationToken cancel)
    {
        var looks = Enumerable.Range(0, database.Buckets).Select(bucket => water.Next((short)bucket)).ToList();
        foreach (var look in looks)
            batch.BatchCommands.Add(new(SqlText.NextDue) { Parameters = { Columns.Value(look.Bucket), Columns.Value(look.Begin) } });
        var due = new List<TimeSpan?>(looks.Count);
        try
        {
            var asked = time.GetTimestamp();
            await using var reader = await batch.ExecuteReaderAsync(cancel);
            if (first is not null && !(await first(reader) && await reader.NextResultAsync(cancel)))
                return [];
            foreach (var look in looks)
            {
                await reader.ReadAsync(cancel);
                due.Add(Take(reader, look, asked));
                await reader.NextResultAsync(cancel);
            }

            return due;
        }
        catch
        {
            foreach (var look in looks.Skip(due.Count))
                water.Failed(look);
            throw;
        }
    }

    private TimeSpan? Take(NpgsqlDataReader reader, LowWater.Look look, long asked)
    {
        if (look.Bucket == 0)
            clock.Observe(reader.Time(1), asked);
        var took = reader.GetTimeSpan(3);
        TimeSpan? due = reader.IsDBNull(0) ? null : TimeSpan.FromSeconds(Math.Clamp(reader.GetDouble(0), -31_536_000, 86_400));
        if (due <= TimeSpan.Zero)
            water.Left(look, took);
        else
            water.Found(look, reader.Time(2), took, claimed: 0);
        return due;
    }
}
