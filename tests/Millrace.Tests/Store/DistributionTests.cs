using Millrace.Configuration;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>
/// The form of what is said to a distributed PostgreSQL; the tests' one is none. A function of the same name and parameters
/// takes it down.
/// </summary>
public sealed class DistributionTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task Each_table_is_distributed_by_bucket_beside_the_first_and_once()
    {
        await using var server = await TestServer.StartAsync(connection);
        await TestCluster.ExecuteAsync(connection, """
            create table pg_dist_partition (logicalrelid regclass, colocated text, place serial);
            create function create_distributed_table(table_name regclass, distribution_column text, distribution_type text default 'hash', colocate_with text default 'default', shard_count int default null)
            returns void language plpgsql as $$
            begin
                if distribution_column <> 'bucket' or distribution_type <> 'hash' then raise exception 'wrong column'; end if;
                if colocate_with <> 'default' and not exists (select from pg_dist_partition where logicalrelid = colocate_with::regclass) then raise exception 'relation % is not distributed', colocate_with; end if;
                insert into pg_dist_partition (logicalrelid, colocated) values (table_name, colocate_with);
            end $$;
            """);
        var first = await DistributeAsync();
        Assert.Equal("millrace.instance is distributed by bucket", first[0]);
        Assert.Contains("millrace.work is distributed by bucket, beside millrace.instance", first);
        Assert.Equal(first.Count, first.Distinct().Count());

        // Everything that has a bucket, and whose keys have it, so that a distributed table can keep them; partitions come along with their table.
        var all = await TestCluster.ScalarAsync<string[]>(connection, """
            select array_agg(relname::text order by relname)
            from pg_class
            where relnamespace = 'millrace'::regnamespace and relkind in ('r', 'p') and not relispartition
              and exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'bucket')
            """);
        Assert.Equal(all, first.Select(line => line.Split(' ')[0]["millrace.".Length..]).Order(StringComparer.Ordinal));
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, """
            select count(*)
            from pg_index
            join pg_dist_partition on logicalrelid = indrelid
            where indisunique and not exists (select from pg_attribute where attrelid = indrelid and attname = 'bucket' and attnum = any (indkey))
            """));
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, "select count(*) from pg_dist_partition where colocated = 'default'"));
        Assert.Equal(1, await TestCluster.ScalarAsync<int>(connection, "select place from pg_dist_partition where colocated = 'default'"));

        Assert.All(await DistributeAsync(), line => Assert.EndsWith("is distributed already", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task On_a_plain_PostgreSQL_it_says_that_there_is_nothing_to_distribute_over()
    {
        await using var server = await TestServer.StartAsync(connection);
        var refused = await Assert.ThrowsAsync<SettingException>(() => server.Service<Distribution>().RunAsync(_ => { }, CancellationToken.None));
        Assert.Contains("without the extension \"citus\"", refused.Message, StringComparison.Ordinal);
    }

    private async Task<List<string>> DistributeAsync()
    {
        var said = new List<string>();
        await using var session = new NpgsqlConnection(connection);
        await session.OpenAsync();
        await Distribution.DistributeAsync(session, said.Add, CancellationToken.None);
        return said;
    }
}
