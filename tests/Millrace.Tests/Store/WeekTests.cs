using System.Net;
using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Store;

/// <summary>Statements that are asked in the week that an id is of: whatever week that is, the answer is the same.</summary>
public sealed class WeekTests : IAsyncLifetime
{
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public void A_statement_names_the_partitions_of_its_week()
    {
        var sql = new WeekSql("SELECT FROM millrace.instance AS instance JOIN millrace.outcome USING (id) JOIN millrace.work USING (id)");
        var week = Weeks.Of(IdAt(new DateTimeOffset(2126, 11, 25, 12, 0, 0, TimeSpan.Zero)))!.Value;
        Assert.Equal("SELECT FROM millrace.instance_21261125 AS instance JOIN millrace.outcome_21261125 USING (id) JOIN millrace.work USING (id)", sql.In(week));
    }

    [Theory]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("01234567-0000-7000-8000-000000000000")]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff")]
    public async Task An_id_of_a_week_that_nobody_has_made_is_unknown(string id)
    {
        await using var server = await TestServer.StartAsync(connection);
        for (var look = 0; look < 2; look++)
            Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync($"instances/{id}")).Status);
    }

    [Fact]
    public async Task Instances_of_several_weeks_are_claimed_together_and_run_with_their_own_facts()
    {
        await using var idle = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"), ("Store:Buckets", "1"));
        var ids = new List<Guid>();
        for (var week = 0; week < 4; week++)
        {
            var id = Guid.Parse(await idle.StartInstanceAsync("""{"do":[{"return":"{{ input.week }}"}]}""", $$""","input":{"week":{{week}}}"""));
            ids.Add(week == 0 ? id : await MoveAsync(id, week));
        }

        await using var server = await TestServer.StartAsync(connection, ("ApiKey", idle.Key), ("Store:Buckets", "1"));
        for (var week = 0; week < 4; week++)
        {
            var instance = await server.InstanceAsync(ids[week].ToString(), "30s");
            Assert.Equal(("completed", week), (instance.GetProperty("status").GetString(), instance.GetProperty("result").GetInt32()));
        }
    }

    [Fact]
    public async Task One_who_waits_for_an_id_of_no_week_does_not_keep_the_others_waiting()
    {
        await using var door = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        await using var pump = await TestServer.StartAsync(connection, ("ApiKey", door.Key));
        var unknown = door.Service<OutcomeHub>().WaitAsync(Guid.NewGuid(), IdAt(DateTimeOffset.UnixEpoch), TimeSpan.FromSeconds(60), CancellationToken.None);
        Assert.Equal("completed", (await door.RunNodesAsync("""{"set":{"a":1}}""")).GetProperty("status").GetString());
        Assert.False(unknown.IsCompleted);
    }

    // An id in bucket 0 that was made at a time; those of the product only rise.
    private static Guid IdAt(DateTimeOffset at)
    {
        var bytes = InstanceId.LeastAt(at).ToByteArray(bigEndian: true);
        Random.Shared.NextBytes(bytes.AsSpan(10));
        (bytes[6], bytes[8]) = (0x70, 0x80);
        return new(bytes, bigEndian: true);
    }

    // Makes an instance one that has started weeks ago.
    private async Task<Guid> MoveAsync(Guid id, int weeks)
    {
        var at = DateTimeOffset.UtcNow.AddDays(-7 * weeks);
        var old = IdAt(at);
        await using var npgsql = new Npgsql.NpgsqlConnection(connection);
        await npgsql.OpenAsync();
        foreach (var table in Partitions.Tables)
            await Partitions.CreateAsync(npgsql, table, Partitions.MondayOf(at), CancellationToken.None);
        await TestCluster.ExecuteAsync(connection, $"UPDATE millrace.instance SET id = '{old}' WHERE id = '{id}'; UPDATE millrace.work SET id = '{old}' WHERE id = '{id}'");
        return old;
    }
}
