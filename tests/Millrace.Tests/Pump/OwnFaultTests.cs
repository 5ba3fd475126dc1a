using Millrace.Pump;
using Millrace.Store;
using Millrace.Tests.Support;
using Millrace.Values;

namespace Millrace.Tests.Pump;

/// <summary>Exceptions that nobody expected: they are ours, and say nothing about the workflow.</summary>
public sealed class OwnFaultTests : IAsyncLifetime
{
    private const string Break = "alter table millrace.child_group rename to child_group_that_is_away";
    private const string Mend = "alter table millrace.child_group_that_is_away rename to child_group";
    private string connection = "";

    public async Task InitializeAsync() => connection = await TestCluster.CreateDatabaseAsync();

    public Task DisposeAsync() => TestCluster.DropDatabaseAsync(connection);

    [Fact]
    public async Task An_instance_that_met_an_error_of_our_own_is_given_back_and_goes_on_once_that_is_mended()
    {
        await using var server = await TestServer.StartAsync(connection);
        await server.PutAsync("workflows/child", """{"do":[{"return":42}]}""");
        await TestCluster.ExecuteAsync(connection, Break);
        var id = await server.StartInstanceAsync("""{"do":[{"sql":"select 1 as n","as":"before"},{"run":"child","as":"r"},{"return":"{{ r }}"}]}""");
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, "select exists (select from millrace.work where fault is not null and worker is null)"), "it is given back");
        Assert.Equal("pending", (await server.InstanceAsync(id)).GetProperty("status").GetString());

        await TestCluster.ExecuteAsync(connection, Mend);
        var instance = await server.InstanceAsync(id, "30s");
        Assert.Equal(("completed", 42), (instance.GetProperty("status").GetString(), instance.GetProperty("result").GetInt32()));
        Assert.Single(await server.NodesAsync(id), node => node.GetProperty("path").GetString() == "/do/0");
    }

    [Fact]
    public async Task A_node_that_meets_an_error_of_our_own_time_after_time_fails_with_that_and_can_be_caught()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:MaxTakeovers", "2"));
        await server.PutAsync("workflows/child", """{"do":[{"return":42}]}""");
        await TestCluster.ExecuteAsync(connection, Break);
        var instance = await server.RunNodesAsync("""{"try":[{"run":"child"}],"catch":[{"return":["{{ error.code }}","{{ error.message }}","{{ error.path }}"]}]}""");
        Assert.True(instance.GetProperty("status").GetString() is "completed", instance.ToString());
        Assert.Equal("internal", instance.GetProperty("result")[0].GetString());
        Assert.Contains("2 times in a row", instance.GetProperty("result")[1].GetString(), StringComparison.Ordinal);
        Assert.Equal("/do/0/try/0", instance.GetProperty("result")[2].GetString());
    }

    [Fact]
    public async Task A_node_that_meets_an_error_of_our_own_time_after_time_fails_however_far_others_come_meanwhile()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:MaxTakeovers", "3"));
        await server.PutAsync("workflows/child", """{"do":[{"return":42}]}""");
        await TestCluster.ExecuteAsync(connection, Break);
        var instance = await server.RunNodesAsync("""
            {"loop":[{"join":[
              [{"try":[{"run":"child"}],"catch":[{"break":["{{ error.code }}","{{ error.message }}"]}]}],
              [{"loop":[{"sql":"select pg_sleep(0.01)"}],"max":1000000}]]}]}
            """);
        Assert.True(instance.GetProperty("status").GetString() is "completed", instance.ToString());
        Assert.Equal("internal", instance.GetProperty("result")[0].GetString());
        Assert.Contains("3 times in a row", instance.GetProperty("result")[1].GetString(), StringComparison.Ordinal);
    }

    [Theory]
    // Of a node that has long been done: the workers were lost since.
    [InlineData("/do/0", "worker_lost")]
    [InlineData("/do/1", "internal")]
    public async Task An_error_of_our_own_of_long_ago_does_not_speak_for_workers_that_were_lost(string path, string code)
    {
        await using (var idle = await TestServer.StartAsync(connection, ("Pump:Enabled", "false")))
            await idle.StartInstanceAsync("""{"do":[{"sql":"select 1 as n"},{"sql":"select pg_sleep(600)"}]}""");
        var id = await TestCluster.ScalarAsync<Guid>(connection, "select id from millrace.work");
        await using (var first = await TestServer.StartAsync(connection, ("Pump:Grace", "00:00:00")))
            await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select exists (select from millrace.node_execution)"), "the first node is done");
        await TestCluster.ExecuteAsync(connection, $$"""
            update millrace.work
            set claims = 5, lease_token = 1, worker = 'lost', begun = true, leased_until = now(), ready_at = now(),
                fault = '{"message":"the node could not be executed because of an internal error","path":"{{path}}","iteration":0,"attempt":1,"tries":1}'
            """);
        await using var server = await TestServer.StartAsync(connection);
        await TestServer.EventuallyAsync(() => TestCluster.ScalarAsync<bool>(connection, "select exists (select from millrace.outcome)"), "it ends");
        Assert.Equal(code, await TestCluster.ScalarAsync<string>(connection, $"select error ->> 'code' from millrace.outcome where id = '{id}'"));
    }

    [Fact]
    public void Children_that_cannot_be_looked_at_are_the_fault_of_the_node_that_waits_for_them()
    {
        var run = VirtualRun.Of("""{"join":[[{"run":"lives"}],[{"run":"broken"}]]}""");
        var claim = new ClaimedInstance(
            run.Facts.Id, 1, 1, VirtualRun.Epoch, default, null, Guid.Empty, [], null, null, null, 5, null, Json.FromText("{}"), null, null, 0, IsTakenOver: false, null);
        var before = RunMachine.On(RunState.Of(claim, new(5, TimeSpan.Zero)), new Loaded(VirtualRun.Epoch, new(run.Workflow, run.Facts, run.State)));
        var keys = run.Given.Select(command => command.Key).ToList();
        Assert.Equal(keys[1], RunMachine.On(before, new ChildrenBroke(keys[1])).Fault!.Node);
        // Of what concerns all of them one speaks.
        Assert.Equal(keys[0], RunMachine.On(before, new ChildrenBroke(null)).Fault!.Node);
    }

    [Fact]
    public async Task An_instance_whose_facts_are_gone_is_let_be_for_a_while_and_holds_up_nobody()
    {
        await using var server = await TestServer.StartAsync(connection, ("Pump:Enabled", "false"));
        var id = await server.StartInstanceAsync("""{"do":[{"return":1}]}""");
        var other = await server.StartInstanceAsync("""{"do":[{"return":2}]}""");
        await TestCluster.ExecuteAsync(connection, $"delete from millrace.instance where id = '{id}'");
        await using var pump = await TestServer.StartAsync(connection);
        Assert.Equal(2, (await pump.InstanceAsync(other, "30s")).GetProperty("result").GetInt32());
        await TestServer.EventuallyAsync(
            () => TestCluster.ScalarAsync<bool>(connection, $"select ready_at > now() + interval '4 minutes' and worker is null and claims = 1 from millrace.work where id = '{id}'"),
            "it is let be");
    }

    [Fact]
    public async Task A_checkpoint_that_the_store_refuses_for_what_is_in_it_fails_its_instance_at_once_and_no_other()
    {
        await using var server = await TestServer.StartAsync(connection);
        await TestCluster.ExecuteAsync(connection, """
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one' using errcode = '22000'; end $$;
            create trigger refusal before insert on millrace.node_execution for each row when (new.path = '/do/1/then/0') execute function refuse()
            """);
        var good = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => server.StartInstanceAsync("""{"do":[{"sql":"select 1 as n"},{"return":1}]}""")));
        var refused = await server.RunNodesAsync("""{"sql":"select 1 as n"},{"if":{"equals":[1,1]},"then":[{"sql":"select 2 as n"}]},{"sql":"select 3 as n"}""");
        Assert.Equal(("failed", "22000"), (refused.GetProperty("status").GetString(), refused.GetProperty("error").GetProperty("code").GetString()));
        foreach (var id in good)
            Assert.Equal("completed", (await server.InstanceAsync(id, "30s")).GetProperty("status").GetString());
    }
}
