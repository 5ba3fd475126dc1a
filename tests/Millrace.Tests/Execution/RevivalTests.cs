using Millrace.Execution;
using Millrace.Tests.Support;

namespace Millrace.Tests.Execution;

/// <summary>Going on from the nodes that failed.</summary>
public sealed class RevivalTests
{
    [Fact]
    public void Only_what_failed_and_what_was_given_up_is_executed_again()
    {
        var broken = true;
        var run = VirtualRun.Of(
            """
            {"sql":"once","as":"first"},
            {"join":[
                [{"sql":"kept","as":"kept"}],
                [{"sql":"breaks","retry":{"attempts":2,"backoff":"1s"} },{"sql":"after"}],
                [{"sleep":"10ms"},{"sql":"slow"}]],"as":"all"},
            {"return":["{{ first.n }}","{{ kept.n }}"]}
            """,
            command => command.Key.Path == "/do/1/join/1/0" && broken ? NodeEvent.Fails("broken") : NodeEvent.Rows("""{"n":1}""")).ToEnd();
        Assert.Equal((InstanceStatus.Failed, "broken"), (run.Outcome!.Status, run.Outcome.Error!.Message));
        var before = run.Given.Count;

        broken = false;
        run.Revive();
        run.ToEnd();
        Assert.Equal("[1,1]", run.Outcome!.Result!.ToString());
        Assert.Equal(["/do/1@2~1/join/1/0#3", "/do/1@2~1/join/1/1#1"], run.Given.Skip(before).Select(command => $"{command.Key.Path}#{command.Key.Attempt}"));
        Assert.Equal(run.History.Count, run.History.Select(execution => execution.Key).Distinct().Count());
    }

    /// <summary>A statement that had committed, and whose end was lost, finds its receipt; a receiver is asked under the same key.</summary>
    [Theory]
    [InlineData("""{"sql":"x"}""")]
    [InlineData("""{"if":{"equals":[1,1]},"then":[{"sql":"x"}]}""")]
    [InlineData("""{"join":[[{"sql":"kept"}],[{"sql":"x"}]]}""")]
    [InlineData("""{"race":[[{"sql":"x"}],[{"waitForSignal":"s"}]]}""")]
    [InlineData("""{"loop":[{"loop":[{"sql":"kept"},{"sql":"x"}],"max":2}],"max":2}""")]
    [InlineData("""{"forEach":[1],"do":[{"sql":"kept"},{"sql":"x"}]}""")]
    [InlineData("""{"try":[{"sql":"kept"}],"finally":[{"sql":"x"}]}""")]
    [InlineData("""{"try":[{"fail":"no"}],"catch":[{"if":{"equals":[1,1]},"then":[{"try":[{"sql":"x"}],"finally":[{"sql":"kept"}]}]}]}""")]
    [InlineData("""{"if":{"sql":"x"},"then":[{"sql":"kept"}]}""")]
    [InlineData("""{"loop":[{"sql":"kept"}],"while":{"sql":"x"},"max":1000}""")]
    [InlineData("""{"forEach":[1,2],"spread":true,"do":[{"sql":"x"}]}""")]
    public void What_is_executed_again_has_the_same_effect_as_before(string nodes)
    {
        var failures = 3;
        var run = VirtualRun.Of(nodes, command => (command is ExecuteSql { Sql.Query.Source: "x" } or StartChildren) && failures-- > 0 ? NodeEvent.Fails("lost") : NodeEvent.Rows("""{"n":0}"""));
        var given = new List<Execute>();
        for (var retries = 0; run.ToEnd().Outcome!.Status is InstanceStatus.Failed; retries++)
        {
            Assert.True(retries < 4);
            given.AddRange(run.Given.Skip(given.Count));
            run.Revive();
        }

        var effects = run.Given.Where(command => command is ExecuteSql { Sql.Query.Source: "x" } or StartChildren).Take(4).Select(command => EffectOf(command.Key));
        Assert.Single(effects.Distinct());
        Assert.Equal(run.History.Count, run.History.Select(execution => execution.Key).Distinct().Count());
    }

    [Fact]
    public void Finally_runs_again_with_effects_of_its_own_and_once_it_has_failed_with_the_same()
    {
        var fails = new Queue<string>(["body", "clean", "body"]);
        var run = VirtualRun.Of(
            """{"try":[{"sql":"body"}],"finally":[{"sql":"clean"}]}""",
            command => fails.TryPeek(out var next) && command is ExecuteSql { Sql.Query.Source: var source } && source == next && fails.Dequeue() == next ? NodeEvent.Fails("no") : NodeEvent.Rows());
        for (run.ToEnd(); run.Outcome!.Status is InstanceStatus.Failed; run.ToEnd())
            run.Revive();
        Assert.Equal(["body", "clean", "clean", "body", "clean", "body", "clean"], run.Given.Select(command => ((ExecuteSql)command).Sql.Query.Source));
        var cleans = run.Given.Where(command => ((ExecuteSql)command).Sql.Query.Source == "clean").Select(command => EffectOf(command.Key)).ToList();
        Assert.Equal(cleans[0], cleans[1]);
        Assert.Equal(3, cleans.Distinct().Count());
    }

    [Fact]
    public void A_containers_own_retry_does_everything_anew()
    {
        var fails = true;
        var run = VirtualRun.Of(
            """{"join":[[{"sql":"a"}],[{"sleep":"1s"},{"sql":"b"}]],"retry":{"attempts":2,"backoff":"1s"} }""",
            command => command is ExecuteSql { Sql.Query.Source: "b" } && fails && !(fails = false) ? NodeEvent.Fails("no") : NodeEvent.Rows()).ToEnd();
        Assert.Equal(4, run.Given.Select(command => EffectOf(command.Key)).Distinct().Count());
    }

    [Theory]
    [InlineData("""{"sql":"asks"}""")]
    [InlineData("""{"lessThan":["{{ n.n }}",1]}""")]
    public void A_loop_whose_condition_failed_goes_on_with_its_next_turn(string condition)
    {
        var turns = 0;
        var isBroken = true;
        var run = VirtualRun.Of(
            $$"""{"loop":[{"sql":"work","as":"n"}],"while":{{condition}},"max":10}""",
            command => command is ExecuteSql { Sql.Query.Source: "work" }
                ? ++turns == 3 && isBroken ? NodeEvent.Rows() : NodeEvent.Rows($$"""{"n":{{(turns < 5 ? 0 : 1)}}}""")
                : turns == 3 && isBroken ? NodeEvent.Fails("division by zero") : NodeEvent.Rows($$"""{"n":{{(turns < 5 ? "true" : "false")}}}"""));
        Assert.Equal(InstanceStatus.Failed, run.ToEnd().Outcome!.Status);
        isBroken = false;
        run.Revive();
        run.ToEnd();
        // What its own result makes impossible stays so, but no turn is made again for it.
        Assert.Equal(condition.Contains("sql", StringComparison.Ordinal) ? (InstanceStatus.Completed, 5) : (InstanceStatus.Failed, 3), (run.Outcome!.Status, turns));
    }

    /// <summary>What finally binds may answer a condition that had been waiting for its statement.</summary>
    [Theory]
    [InlineData("""{"sql":"work"},{"if":{"any":["{{ a? }}",{"sql":"asks"}]},"then":[{"set":{"r":"then"} }],"else":[{"set":{"r":"else"} }]}""", "then", 1)]
    [InlineData("""{"sql":"work"},{"if":{"any":["{{ b? }}",{"sql":"asks"}]},"then":[{"set":{"r":"then"} }],"else":[{"set":{"r":"else"} }]}""", "else", 2)]
    [InlineData("""{"loop":[{"sql":"turn"}],"while":{"any":["{{ a? }}",{"sql":"asks"}]},"max":1},{"set":{"r":"turned"} }""", "turned", 1)]
    [InlineData("""{"loop":[{"sql":"turn"}],"while":{"any":["{{ b? }}",{"sql":"asks"}]},"max":2},{"set":{"r":"turned"} }""", "turned", 2)]
    public void A_condition_that_was_given_up_or_has_failed_is_asked_from_its_beginning(string asking, string result, int asked)
    {
        foreach (var failed in new[] { "asks", "sibling" })
        {
            var fails = true;
            var run = VirtualRun.Of(
                $$$"""{"try":[{"join":[[{"sleep":"2ms"},{"sql":"sibling"}],[{{{asking}}}]]}],"finally":[{"set":{"a":true} }]},{"return":"{{ r }}"}""",
                command => ((ExecuteSql)command).Sql.Query.Source is var source && source == failed && fails ? NodeEvent.Fails("no") : NodeEvent.Rows(source is "asks" ? """{"n":false}""" : """{"n":1}"""));
            Assert.Equal(InstanceStatus.Failed, run.ToEnd().Outcome!.Status);
            fails = false;
            run.Revive();
            Assert.Equal($"\"{result}\"", run.ToEnd().Outcome!.Result!.ToString());
            Assert.Equal(run.History.Count, run.History.Select(execution => execution.Key).Distinct().Count());
            var asks = run.Given.Where(command => ((ExecuteSql)command).Sql.Query.Source is "asks").ToList();
            Assert.Equal(asked, asks.Count);
            Assert.Single(asks.Select(command => EffectOf(command.Key)).Distinct());
        }
    }

    [Theory]
    [InlineData("""{"if":{"all":[{"sql":"asks"},{"equals":["{{ input.a }}",1]}]},"then":[{"sql":"t"}]}""")]
    [InlineData("""{"loop":[{"sql":"turn"}],"max":9,"while":{"all":[{"sql":"asks"},{"equals":["{{ input.a }}",1]}]}}""")]
    public void A_condition_that_cannot_be_worked_out_keeps_the_effects_of_its_statements(string asking)
    {
        var run = VirtualRun.Of(asking, _ => NodeEvent.Rows("""{"n":1}"""), "{}").ToEnd();
        for (var retries = 0; retries < 3; retries++)
        {
            Assert.Equal(InstanceStatus.Failed, run.Outcome!.Status);
            run.Revive();
            run.ToEnd();
        }

        Assert.Single(run.Given.Where(command => ((ExecuteSql)command).Sql.Query.Source is "asks").Select(command => EffectOf(command.Key)).Distinct());
        Assert.Equal(run.History.Count, run.History.Select(execution => execution.Key).Distinct().Count());
    }

    [Fact]
    public void A_list_whose_result_was_too_large_is_not_gone_through_again()
    {
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read("""{"do":[{"forEach":[1,2,3,4],"do":[{"sql":"item"}],"concurrency":1}]}"""),
            _ => NodeEvent.Rows($$"""{"n":"{{new string('x', 400)}}"}"""), resultBytes: 1500);
        run.Start();
        Assert.Equal("result_too_large", run.ToEnd().Outcome!.Error!.Code);
        Assert.Equal(4, run.Given.Count);
        run.Revive();
        run.ToEnd();
        Assert.Equal(EffectOf(run.Given[3].Key), EffectOf(Assert.Single(run.Given.Skip(4)).Key));
    }

    [Fact]
    public void A_wait_that_was_given_up_begins_anew_and_a_sleep_does_not()
    {
        var run = VirtualRun.Of(
            """{"join":[[{"waitForSignal":"s","timeout":"4s","as":"w"}],[{"sleep":"5s"}],[{"sleep":"1s"},{"sql":"x"}]]},{"return":"{{ w.timed_out }}"}""",
            command => command.Key.Attempt == 1 ? NodeEvent.Fails("no") : NodeEvent.Rows()).Until(TimeSpan.FromSeconds(5));
        Assert.Equal(InstanceStatus.Failed, run.Outcome!.Status);
        run.Revive();
        run.Until(TimeSpan.FromSeconds(8));
        Assert.Equal(["/do/0@2~1/join/0/0 signal"], run.Waits);
        run.Signal("s");
        Assert.Equal("false", run.ToEnd().Outcome!.Result!.ToString());
    }

    private static Guid EffectOf(NodeKey key) => Millrace.Nodes.NodeContext.EffectOf(Guid.Empty, key);

    [Fact]
    public void Attempts_before_a_retry_do_not_count()
    {
        var run = VirtualRun.Of("""{"sql":"x","retry":{"attempts":2,"backoff":"1s"} }""", _ => NodeEvent.Fails("no")).ToEnd();
        run.Revive();
        Assert.Equal(4, run.ToEnd().Outcome!.Error!.Attempt);
        run.Revive();
        Assert.Equal(6, run.ToEnd().Outcome!.Error!.Attempt);
    }

    [Fact]
    public void The_failed_node_is_tried_again_and_not_the_finally_behind_it()
    {
        var broken = true;
        var run = VirtualRun.Of(
            """{"loop":[{"try":[{"sql":"work"}],"finally":[{"sql":"clean"}]}],"max":2}""",
            command => command.Key is { Path: "/do/0/loop/0/try/0", Iteration: 1 } && broken ? NodeEvent.Fails("no") : NodeEvent.Rows()).ToEnd();
        Assert.Equal("/do/0/loop/0/try/0", run.Outcome!.Error!.Path);
        var before = run.Given.Count;
        broken = false;
        run.Revive();
        Assert.Equal(InstanceStatus.Completed, run.ToEnd().Outcome!.Status);
        Assert.Equal(["work", "clean"], run.Given.Skip(before).Select(command => ((ExecuteSql)command).Sql.Query.Source));
    }

    [Fact]
    public void Items_that_have_completed_stay_so()
    {
        var broken = true;
        var run = VirtualRun.Of(
            """{"forEach":[1,2,3,4],"concurrency":2,"do":[{"sql":"select {{ item }}"}]}""",
            command => command.Key.Path.Contains("[1]", StringComparison.Ordinal) && broken ? NodeEvent.Fails("no") : NodeEvent.Of($"\"{((ExecuteSql)command).Parameters[0]}\"")).ToEnd();
        broken = false;
        var before = run.Given.Count;
        run.Revive();
        Assert.Equal("""["1","2","3","4"]""", run.ToEnd().Outcome!.Result!.ToString());
        // The second item had failed, and the third was given up because of it.
        Assert.Equal(["1", "2", "2", "3", "3", "4"], run.Given.Select(command => ((ExecuteSql)command).Parameters[0].ToString()).Order());
        Assert.DoesNotContain("1", run.Given.Skip(before).Select(command => ((ExecuteSql)command).Parameters[0].ToString()));
    }

    /// <summary>Whatever failed, in whatever graph: once nothing fails any more, the instance ends, and no key is used twice.</summary>
    [Fact]
    public void A_random_instance_that_is_retried_until_nothing_fails_ends()
    {
        for (var i = 0; i < 2_000; i++)
            Seeds.Try(Seeds.First + i, RetryUntilNothingFails);
    }

    private static void RetryUntilNothingFails(int seed)
    {
        var graph = new RandomGraph(new Random(seed)).Make().ToJsonString();
        var random = new Random(seed);
        var fails = true;
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read(graph), _ => fails && random.Next(3) == 0 ? NodeEvent.Fails("no", random.Next(2) == 0) : NodeEvent.Rows("""{"n":1}"""), resultBytes: 100_000);
        run.Start();
        while (run.Step())
        {
        }

        for (var retries = 0; run is { Outcome.Status: InstanceStatus.Failed, Resume: not null } && retries < 5; retries++)
        {
            fails = retries < 2;
            run.Revive();
            while (run.Step())
            {
            }
        }

        Assert.True(run.Outcome is not null || ActivePath.Of(run.Workflow, run.Facts, run.State).Any(node => node.Frame.Activity is AwaitingSignal), $"it stands still, seed {seed}: {graph}");
        Assert.True(run.History.Count == run.History.Select(execution => execution.Key).Distinct().Count(), $"seed {seed}: {graph}");
    }
}
