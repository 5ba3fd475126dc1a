using Millrace.Values;

namespace Millrace.Tests.Store;

public sealed class ByteCacheTests
{
    [Fact]
    public void A_cache_holds_no_more_bytes_than_it_may()
    {
        var cache = new ByteCache<int, string>(1000);
        for (var i = 0; i < 100; i++)
        {
            cache.Add(i, "x", 90);
            Assert.InRange(cache.Bytes, 90, 1000);
            Assert.True(cache.TryGet(i, out _));
        }

        Assert.False(cache.TryGet(0, out _));
    }

    [Fact]
    public void What_is_larger_than_the_whole_is_remembered_alone()
    {
        var cache = new ByteCache<int, string>(1000);
        cache.Add(1, "small", 10);
        cache.Add(2, "huge", 5000);
        Assert.Equal((true, false), (cache.TryGet(2, out _), cache.TryGet(1, out _)));
        cache.Add(3, "small", 10);
        Assert.Equal((false, 10), (cache.TryGet(2, out _), cache.Bytes));
    }

    [Fact]
    public void The_same_thing_counts_once()
    {
        var cache = new ByteCache<int, string>(1000);
        Parallel.For(0, 1000, _ => cache.Add(7, "x", 100));
        Assert.Equal(100, cache.Bytes);
    }
}
