using Millrace.Store;
using Npgsql;

namespace Millrace.Tests.Store;

public sealed class BatcherTests
{
    private static readonly BatcherSettings Small = new(MaxItems: 10, Capacity: 100, Flushers: 1);

    [Fact]
    public async Task Items_that_come_while_a_batch_is_under_way_go_together()
    {
        var sizes = new List<int>();
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(Small, _ => 1, async items =>
        {
            lock (sizes)
                sizes.Add(items.Count);
            await gate.Task;
            return [.. items.Select(item => item * 2)];
        });

        var first = batcher.AddAsync(1);
        await WaitForAsync(() => sizes.Count == 1);
        var rest = Enumerable.Range(2, 14).Select(batcher.AddAsync).ToList();
        gate.SetResult();

        Assert.Equal(2, await first);
        Assert.Equal(Enumerable.Range(2, 14).Select(item => item * 2), await Task.WhenAll(rest));
        Assert.Equal([1, 10, 4], sizes);
    }

    [Fact]
    public async Task Few_wait_for_the_batch_under_way_and_many_go_beside_it()
    {
        var gate = new TaskCompletionSource();
        var sizes = new List<int>();
        var settings = Small with { Flushers = 2, SideBySide = 5, LongestWait = TimeSpan.FromHours(1) };
        await using var batcher = new Batcher<int, int>(settings, _ => 1, async items =>
        {
            lock (sizes)
                sizes.Add(items.Count);
            if (items.Contains(1))
                await gate.Task;
            return [.. items];
        });

        var stuck = batcher.AddAsync(1);
        await WaitForAsync(() => sizes.Count == 1);
        var few = Enumerable.Range(2, 4).Select(batcher.AddAsync).ToList();
        Assert.Equal([1], sizes);
        await Task.WhenAll([.. few, batcher.AddAsync(6)]);
        Assert.Equal([1, 5], sizes);
        Assert.False(stuck.IsCompleted);
        gate.SetResult();
        Assert.Equal(1, await stuck);
    }

    [Fact]
    public async Task Nobody_waits_for_long_behind_a_batch_that_does_not_end()
    {
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(Small with { Flushers = 2, SideBySide = 5 }, _ => 1, async items =>
        {
            if (items.Contains(1))
                await gate.Task;
            return [.. items];
        });

        var stuck = batcher.AddAsync(1);
        Assert.Equal(2, await batcher.AddAsync(2));
        Assert.False(stuck.IsCompleted);
        gate.SetResult();
        Assert.Equal(1, await stuck);
    }

    [Fact]
    public async Task Nobody_waits_for_long_where_of_two_batches_one_ends_and_the_other_does_not()
    {
        var (stuck, ends) = (new TaskCompletionSource(), new TaskCompletionSource());
        var begun = 0;
        var settings = Small with { Flushers = 2, SideBySide = 5, LongestWait = TimeSpan.FromMilliseconds(20) };
        await using var batcher = new Batcher<int, int>(settings, _ => 1, async items =>
        {
            Interlocked.Increment(ref begun);
            await (items.Contains(1) ? stuck.Task : items.Contains(2) ? ends.Task : Task.CompletedTask);
            return [.. items];
        });

        var first = batcher.AddAsync(1);
        await WaitForAsync(() => begun == 1);
        var second = Enumerable.Range(2, 5).Select(batcher.AddAsync).ToList();
        await WaitForAsync(() => begun == 2);
        // These come while nobody can begin another batch, and are too few to go beside the one that is left.
        var late = Enumerable.Range(7, 3).Select(batcher.AddAsync).ToList();
        ends.SetResult();
        await Task.WhenAll([.. second, .. late]).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(first.IsCompleted);
        stuck.SetResult();
        Assert.Equal(1, await first);
    }

    [Fact]
    public async Task A_bad_item_harms_only_itself()
    {
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(Small, _ => 1, async items =>
        {
            await gate.Task;
            if (items.Contains(3))
                throw Bad();
            return [.. items];
        });

        var all = Enumerable.Range(0, 6).Select(batcher.AddAsync).ToList();
        gate.SetResult();

        for (var i = 0; i < 6; i++)
        {
            if (i == 3)
                await Assert.ThrowsAsync<PostgresException>(() => all[3]);
            else
                Assert.Equal(i, await all[i]);
        }
    }

    [Fact]
    public async Task What_one_transaction_has_committed_is_not_written_again_when_the_next_one_fails()
    {
        var stored = new List<int>();
        var gate = new TaskCompletionSource();
        await using var batcher = Batcher<int, int>.ByTransaction(Small, _ => 1, item => item % 3, async (_, items) =>
        {
            await gate.Task;
            if (items.Contains(4))
                throw Bad();
            stored.AddRange(items);
            return [.. items.Select(item => item * 2)];
        });

        var all = Enumerable.Range(0, 10).Select(batcher.AddAsync).ToList();
        gate.SetResult();

        foreach (var i in Enumerable.Range(0, 10).Where(i => i != 4))
            Assert.Equal(i * 2, await all[i]);
        await Assert.ThrowsAsync<PostgresException>(() => all[4]);
        Assert.Equal([0, 1, 2, 3, 5, 6, 7, 8, 9], stored.Order());
    }

    [Fact]
    public async Task A_transaction_that_cannot_be_written_now_is_not_its_neighbours_concern()
    {
        await using var batcher = Batcher<int, int>.ByTransaction(Small, _ => 1, item => item % 2, (odd, items) =>
            odd == 0 ? Task.FromResult<IReadOnlyList<int>>([.. items]) : throw new NpgsqlException("away", new IOException()));

        var all = Enumerable.Range(0, 6).Select(batcher.AddAsync).ToList();
        for (var i = 0; i < 6; i++)
        {
            if (i % 2 == 0)
                Assert.Equal(i, await all[i]);
            else
                await Assert.ThrowsAsync<NpgsqlException>(() => all[i]);
        }
    }

    [Fact]
    public async Task A_bad_item_among_hundreds_is_found_in_a_few_tries()
    {
        var tries = 0;
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(new(MaxItems: 512, Capacity: 1000, Flushers: 1), _ => 1, async items =>
        {
            await gate.Task;
            tries++;
            if (items.Contains(300))
                throw Bad();
            return [.. items];
        });

        var all = Enumerable.Range(0, 513).Select(batcher.AddAsync).ToList();
        gate.SetResult();
        foreach (var i in Enumerable.Range(0, 513).Where(i => i != 300))
            Assert.Equal(i, await all[i]);
        await Assert.ThrowsAsync<PostgresException>(() => all[300]);
        // The first item alone, then each level of the halving twice at the most.
        Assert.InRange(tries, 2, 1 + 1 + (2 * 9));
    }

    [Fact]
    public async Task A_right_that_is_missing_is_not_looked_for_in_the_items()
    {
        var tries = 0;
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(Small, _ => 1, async _ =>
        {
            await gate.Task;
            Interlocked.Increment(ref tries);
            throw new PostgresException("no", "ERROR", "ERROR", PostgresErrorCodes.InsufficientPrivilege);
        });

        var all = Enumerable.Range(0, 8).Select(batcher.AddAsync).ToList();
        gate.SetResult();
        foreach (var task in all)
            await Assert.ThrowsAsync<PostgresException>(() => task);
        Assert.InRange(tries, 1, 2);
    }

    [Fact]
    public async Task A_server_that_is_away_fails_a_batch_once()
    {
        var calls = 0;
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(Small, _ => 1, async _ =>
        {
            await gate.Task;
            Interlocked.Increment(ref calls);
            throw new NpgsqlException("away", new IOException());
        });
        var first = batcher.AddAsync(0);
        var rest = Enumerable.Range(0, 8).Select(batcher.AddAsync).ToList();
        gate.SetResult();
        await Assert.ThrowsAsync<NpgsqlException>(() => first);
        foreach (var task in rest)
            await Assert.ThrowsAsync<NpgsqlException>(() => task);
        Assert.InRange(calls, 1, 2);
    }

    [Fact]
    public async Task More_than_it_holds_is_refused_at_once_and_what_it_holds_is_not_lost()
    {
        var gate = new TaskCompletionSource();
        await using var batcher = new Batcher<int, int>(Small with { CapacityBytes = 1000 }, size => size, async items =>
        {
            await gate.Task;
            return [.. items];
        });

        var held = batcher.AddAsync(900);
        await Assert.ThrowsAsync<StoreBusyException>(() => batcher.AddAsync(101));
        var small = batcher.AddAsync(100);
        gate.SetResult();
        var done = await Task.WhenAll(held, small);
        Assert.Equal([900, 100], done);
        Assert.Equal(1000, await batcher.AddAsync(1000));
    }

    private static PostgresException Bad() => new("bad", "ERROR", "ERROR", PostgresErrorCodes.InvalidTextRepresentation);

    private static async Task WaitForAsync(Func<bool> holds)
    {
        while (!holds())
            await Task.Yield();
    }
}
