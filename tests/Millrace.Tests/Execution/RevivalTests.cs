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
        Assert.Equal(["/do/1@2/join/1/0#3", "/do/1@2/join/1/1#1"], run.Given.Skip(before).Select(command => $"{command.Key.Path}#{command.Key.Attempt}"));
        Assert.Equal(run.History.Count, run.History.Select(execution => execution.Key).Distinct().Count());
    }

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
