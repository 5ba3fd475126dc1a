using Millrace.Store;

namespace Millrace.Tests.Store;

public sealed class InstanceIdTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(512)]
    [InlineData(1023)]
    public void An_id_tells_its_bucket(int bucket)
    {
        for (var i = 0; i < 1000; i++)
        {
            var id = InstanceId.New(bucket);
            Assert.Equal(bucket, InstanceId.BucketOf(id));
            Assert.Equal((7, 2), (id.Version, id.Variant >> 2));
        }
    }

    [Fact]
    public void Ids_of_a_process_rise_and_carry_their_time()
    {
        var before = DateTimeOffset.UtcNow.AddMilliseconds(-1);
        var ids = Enumerable.Range(0, 20_000).Select(i => InstanceId.New(i % 8)).ToList();
        Assert.Equal(ids.Select(id => id.ToString()).Order(StringComparer.Ordinal), ids.Select(id => id.ToString()));
        Assert.Equal(ids.Count, ids.Distinct().Count());
        Assert.True(string.CompareOrdinal(InstanceId.LeastAt(before).ToString(), ids[0].ToString()) < 0);
        Assert.True(string.CompareOrdinal(ids[^1].ToString(), InstanceId.LeastAt(DateTimeOffset.UtcNow.AddSeconds(5)).ToString()) < 0);
    }

    [Fact]
    public async Task Ids_of_many_threads_are_different()
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Enumerable.Range(0, 5000).Select(_ => InstanceId.New(3)).ToList())));
        Assert.Equal(20_000, ids.SelectMany(list => list).Distinct().Count());
    }
}
