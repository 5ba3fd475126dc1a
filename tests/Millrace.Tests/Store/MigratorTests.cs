using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

public sealed class MigratorTests : IAsyncLifetime
{
    private string connection = "";
    private NpgsqlDataSource source = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        source = NpgsqlDataSource.Create(connection);
    }

    public async Task DisposeAsync()
    {
        await source.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task Many_processes_that_start_together_migrate_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ApplyAsync(Migration.Embedded)));
        Assert.Equal(Migration.Embedded.Count, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.migration"));
    }

    [Fact]
    public async Task A_start_waits_for_nobody_who_reads_for_long_where_only_later_weeks_are_missing()
    {
        await ApplyAsync(Migration.Embedded);
        var last = await TestCluster.ScalarAsync<string>(connection, "select max(relname::text) from pg_class where relname ~ '^outcome_2' and relkind = 'r'");
        await TestCluster.ExecuteAsync(connection, $"drop table millrace.{last}");
        await using var reader = await source.OpenConnectionAsync();
        await using var transaction = await reader.BeginTransactionAsync();
        await Migrator.ExecuteAsync(reader, "select count(*) from millrace.outcome", CancellationToken.None);
        await ApplyAsync(Migration.Embedded).WaitAsync(TimeSpan.FromSeconds(30));
        await transaction.RollbackAsync();
        await ApplyAsync(Migration.Embedded);
        Assert.Equal(1, await TestCluster.ScalarAsync<long>(connection, $"select count(*) from pg_class where relname = '{last}'"));
    }

    [Fact]
    public async Task A_script_that_needs_a_table_which_somebody_reads_for_long_has_nobody_wait_behind_it()
    {
        await ApplyAsync(Migration.Embedded);
        await using var reader = await source.OpenConnectionAsync();
        await using var transaction = await reader.BeginTransactionAsync();
        await Migrator.ExecuteAsync(reader, "select count(*) from millrace.work", CancellationToken.None);
        IReadOnlyList<Migration> more = [.. Migration.Embedded, More("ALTER TABLE millrace.work ADD COLUMN extra integer;")];
        var given = await Assert.ThrowsAsync<PostgresException>(() => ApplyAsync(more).WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.True(Millrace.Faults.StoreFaults.IsPassing(given), given.Message);
        await transaction.RollbackAsync();
        await ApplyAsync(more);
    }

    [Fact]
    public async Task A_database_in_another_encoding_is_refused_with_the_remedy()
    {
        var latin = new NpgsqlConnectionStringBuilder(connection) { Database = $"latin_{Guid.NewGuid():N}" };
        await TestCluster.ExecuteAsync(connection, $"CREATE DATABASE {latin.Database} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        try
        {
            var refused = await Assert.ThrowsAsync<Millrace.Configuration.SettingException>(() => TestServer.StartAsync(latin.ConnectionString));
            Assert.Contains("LATIN1", refused.Message, StringComparison.Ordinal);
            Assert.Contains("ENCODING 'UTF8'", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            await TestCluster.DropDatabaseAsync(latin.ConnectionString);
        }
    }

    [Fact]
    public async Task New_scripts_run_and_old_ones_do_not()
    {
        await ApplyAsync(Migration.Embedded);
        await ApplyAsync([.. Migration.Embedded, More("CREATE TABLE millrace.extra (a integer);")]);
        await ApplyAsync([.. Migration.Embedded, More("CREATE TABLE millrace.extra (a integer);")]);
        Assert.Equal(0, await TestCluster.ScalarAsync<long>(connection, "select count(*) from millrace.extra"));
    }

    [Fact]
    public async Task A_script_that_fails_leaves_nothing()
    {
        await ApplyAsync(Migration.Embedded);
        await Assert.ThrowsAsync<PostgresException>(() => ApplyAsync([.. Migration.Embedded, More("CREATE TABLE millrace.extra (a integer);\nSELECT 1/0;")]));
        Assert.True(await TestCluster.ScalarAsync<bool>(connection, "select to_regclass('millrace.extra') is null"));
    }

    [Fact]
    public async Task A_changed_script_stops_with_its_name()
    {
        await ApplyAsync(Migration.Embedded);
        var changed = Migration.Embedded[0] with { Sql = Migration.Embedded[0].Sql + "\n-- changed" };
        var error = await Assert.ThrowsAsync<SchemaException>(() => ApplyAsync([new(changed.Number, changed.Name, changed.Sql), .. Migration.Embedded.Skip(1)]));
        Assert.Contains(changed.Name, error.Message, StringComparison.Ordinal);
        Assert.Contains("never changes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_script_stops()
    {
        await ApplyAsync([.. Migration.Embedded, More("SELECT 1;")]);
        var newer = await Assert.ThrowsAsync<SchemaException>(() => ApplyAsync(Migration.Embedded));
        Assert.Contains("newer Millrace", newer.Message, StringComparison.Ordinal);

        var gap = new Migration(Migration.Embedded.Count + 2, "0099_gap.sql", "SELECT 1;");
        var missing = await Assert.ThrowsAsync<SchemaException>(() => ApplyAsync([.. Migration.Embedded, gap]));
        Assert.Contains("is missing", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Line_ends_do_not_change_a_script()
    {
        await ApplyAsync(Migration.Embedded);
        await ApplyAsync([.. Migration.Embedded.Select(migration => new Migration(migration.Number, migration.Name, migration.Sql.ReplaceLineEndings("\r\n")))]);
    }

    [Fact]
    public async Task Buckets_grow_and_never_shrink()
    {
        await ApplyAsync(Migration.Embedded, buckets: 4);
        await ApplyAsync(Migration.Embedded, buckets: 8);
        var error = await Assert.ThrowsAsync<SchemaException>(() => ApplyAsync(Migration.Embedded, buckets: 4));
        Assert.Contains("Millrace:Store:Buckets", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_table_is_led_by_its_bucket_and_names_its_organisation()
    {
        await ApplyAsync(Migration.Embedded);
        var strays = await TestCluster.ScalarAsync<string>(connection, """
            SELECT coalesce(string_agg(relname, ', '), '')
            FROM pg_class
            WHERE relnamespace = 'millrace'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND relname NOT IN ('migration', 'bucket_count', 'receipt_secret')
              AND NOT (EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'bucket' AND attnum = 1)
                       AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'organisation_id')
                       AND (SELECT 1 = ANY (indkey) FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary))
            """);
        Assert.Equal("", strays);
    }

    private static Migration More(string sql) => new(Migration.Embedded.Count + 1, "9999_more.sql", sql);

    private Task ApplyAsync(IReadOnlyList<Migration> migrations, int buckets = 8) =>
        new Migrator(source, migrations, NullLogger<Migrator>.Instance).ApplyAsync(buckets, CancellationToken.None);
}
