using System.Text.Json;
using Millrace.Execution;
using Millrace.Pump;
using Millrace.Tests.Support;
using Millrace.Values;

namespace Millrace.Tests.Execution;

/// <summary>What is given up while it is being executed, and could be undone: it may have happened.</summary>
public sealed class LingeringTests
{
    // Whose result is awaited longest: the car, which takes 50 ms where everything else takes 5.
    private const string Saga = """
        {"join":[[{"sql":"hotel"}],[{"http":"https://cars/","as":"car","retry":{"attempts":3,"backoff":"1s"},"compensate":[{"sql":"give back {{ car.rows[0].n }}"}]}]]}
        """;

    [Fact]
    public void A_joins_sibling_that_completes_after_the_failure_is_undone()
    {
        var run = Of(Saga, command => command is ExecuteSql { Sql.Query.Source: "hotel" } ? NodeEvent.Fails("full") : NodeEvent.Rows("""{"n":7}"""));
        run.Until(TimeSpan.FromMilliseconds(20));
        Assert.Null(run.Outcome);
        Assert.Single(run.State.Lingering);
        run.ToEnd();
        Assert.Equal((InstanceStatus.Failed, "full"), (run.Outcome!.Status, run.Outcome.Error!.Message));
        Assert.Equal(["7"], ((ExecuteSql)run.Given[^1]).Parameters.Select(value => value.ToString()));
        Assert.Equal(
            [
                "/do/0/join/0/0 sql 1 failed", "/do/0 join 1 failed", "/do/0/join/1/0 http 1 completed", "/do/0/join/1/0/compensate/0 sql 1 completed",
            ],
            run.Story);
        Assert.Null(run.Resume);
    }

    [Fact]
    public void One_that_fails_is_not_tried_again_and_leaves_nothing_to_undo_and_the_instance_can_be_retried()
    {
        var fails = true;
        var run = Of(Saga, _ => fails ? NodeEvent.Fails("no") : NodeEvent.Rows("""{"n":7}""")).ToEnd();
        Assert.Equal(["/do/0/join/0/0 sql 1 failed", "/do/0 join 1 failed", "/do/0/join/1/0 http 1 failed"], run.Story);
        Assert.NotNull(run.Resume);
        fails = false;
        run.Revive();
        Assert.Equal(["/do/0@2~1/join/0/0#2", "/do/0@2~1/join/1/0#2"], run.ToEnd().Given.Skip(2).Select(command => $"{command.Key.Path}#{command.Key.Attempt}"));
        Assert.Equal(InstanceStatus.Completed, run.Outcome!.Status);
    }

    [Fact]
    public void A_cancelled_instance_awaits_what_is_being_executed_and_undoes_it_first()
    {
        var run = Of("""{"sql":"first","compensate":[{"sql":"undo first"}]},{"http":"https://cars/","compensate":[{"sql":"undo car"}]}""");
        run.Until(TimeSpan.FromMilliseconds(10));
        run.Cancel("enough");
        run.Cancel("again");
        Assert.Equal(("enough", null), (run.State.Ending!.Error.Message, run.State.Ending.Current));
        run.ToEnd();
        Assert.Equal((InstanceStatus.Cancelled, "enough"), (run.Outcome!.Status, run.Outcome.Error!.Message));
        Assert.Equal(["/do/0", "/do/1", "/do/1/compensate/0", "/do/0/compensate/0"], run.Given.Select(command => command.Key.Path));
    }

    [Fact]
    public void A_loser_of_a_race_that_completes_is_undone_when_the_instance_fails_later()
    {
        var run = Of("""{"race":[[{"sql":"fast"}],[{"http":"https://cars/","compensate":[{"sql":"undo"}]}]]},{"sleep":"1h"},{"fail":"stop"}""").ToEnd();
        Assert.Equal(["/do/0/race/0/0", "/do/0/race/1/0", "/do/0/race/1/0/compensate/0"], run.Given.Select(command => command.Key.Path));
    }

    [Fact]
    public void A_loser_of_a_race_is_abandoned_when_the_instance_completes()
    {
        var run = Of("""{"race":[[{"sql":"fast"}],[{"http":"https://cars/","compensate":[{"sql":"undo"}]}],[{"run":"child","compensate":[{"sql":"undo"}]}]]}""", cancelled: 30).ToEnd();
        Assert.Equal(
            [
                "/do/0/race/0/0 sql 1 completed", "/do/0 race 1 completed", "/do/0/race/1/0 http 1 cancelled", "/do/0/race/2/0 run 1 cancelled",
            ],
            run.Story);
        Assert.Equal(TimeSpan.FromMilliseconds(5), run.Now - VirtualRun.Epoch);
    }

    [Fact]
    public void What_can_not_be_undone_is_stopped_at_once()
    {
        var run = Of("""{"join":[[{"sql":"hotel"}],[{"http":"https://cars/"}]],"compensate":[{"sql":"undo"}]}""", _ => NodeEvent.Fails("full")).ToEnd();
        Assert.Equal(["/do/0/join/0/0 sql 1 failed", "/do/0/join/1/0 http 1 cancelled", "/do/0 join 1 failed"], run.Story);
    }

    [Fact]
    public void A_container_that_times_out_begins_its_next_attempt_beside_what_lingers_of_the_last_one()
    {
        var run = Of(
            """{"try":[{"http":"https://cars/","as":"car","compensate":[{"sql":"undo {{ car.rows[0].n }}"}]}],"finally":[{"set":{}}],"timeout":"20ms","retry":{"attempts":2,"backoff":"1ms","jitter":false}},{"fail":"stop"}""",
            command => NodeEvent.Rows($$"""{"n":"{{command.Key.Path}}"}""")).ToEnd();
        Assert.Equal(["/do/0/try/0", "/do/0@2/try/0"], run.Given.OfType<ExecuteHttp>().Select(command => command.Key.Path));
        // Both attempts are over their time, and both bookings were made.
        Assert.Equal(["\"/do/0@2/try/0\"", "\"/do/0/try/0\""], run.Given.OfType<ExecuteSql>().Select(command => command.Parameters[0].ToString()));
    }

    [Theory]
    [InlineData(30, true)]
    [InlineData(60, false)]
    public void A_child_that_completes_before_it_hears_that_nobody_waits_for_it_is_undone(int childTakes, bool completes)
    {
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read("""{"do":[{"join":[[{"sql":"hotel"}],[{"run":"child","as":"c","compensate":[{"sql":"undo {{ c.rows[0].n }}"}]}]]}]}"""),
            command => command is ExecuteSql { Sql.Query.Source: "hotel" } ? NodeEvent.Fails("full") : NodeEvent.Rows("""{"n":7}"""))
        {
            Duration = command => TimeSpan.FromMilliseconds(command is StartChildren ? childTakes : 5),
            CancelDuration = _ => TimeSpan.FromMilliseconds(40),
        };
        run.Start();
        run.Until(TimeSpan.FromMilliseconds(10));
        Assert.Equal(["/do/0/join/1/0 children"], run.Waits);
        Assert.Equal(completes ? ["7"] : [], run.ToEnd().Given.OfType<ExecuteSql>().Skip(1).SelectMany(command => command.Parameters).Select(value => value.ToString()));
        Assert.Equal(completes ? "/do/0/join/1/0 run 1 completed" : "/do/0/join/1/0 run 1 failed", run.Story.ElementAt(2));
    }

    [Fact]
    public void Children_over_their_time_are_awaited_before_the_next_attempt()
    {
        var run = Of(
            """{"run":"child","timeout":"20ms","retry":{"attempts":2,"backoff":"1s","jitter":false},"compensate":[{"sql":"undo"}]}""", children: 5000, cancelled: 30).ToEnd();
        Assert.Equal(["/do/0 run 1 failed", "/do/0 run 2 failed"], run.Story);
        Assert.Equal([50, 1100], run.History.Select(execution => (execution.EndedAt - VirtualRun.Epoch).TotalMilliseconds));
        Assert.Equal(("timed out after 00:00:00.0200000", "timeout"), (run.Outcome!.Error!.Message, run.Outcome.Error.Code));
        Assert.NotNull(run.Resume);
    }

    [Fact]
    public void A_worker_that_takes_over_goes_on_with_what_lingers()
    {
        var run = Of(Saga, command => command is ExecuteSql { Sql.Query.Source: "hotel" } ? NodeEvent.Fails("full") : NodeEvent.Rows("""{"n":7}"""));
        run.Until(TimeSpan.FromMilliseconds(20));
        run.CrashAndRestore([]);
        Assert.Equal(["/do/0/join/1/0"], Machine.Outstanding(run.Workflow, run.Facts, run.State).Select(command => command.Key.Path));
        run.Park();
        run.CrashAndRestore([]);
        Assert.Equal("/do/0/join/1/0/compensate/0", run.ToEnd().Given[^1].Key.Path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_had_not_begun_when_it_was_given_up_is_not_begun_unless_a_worker_before_may_have_begun_it(bool isTakenOver)
    {
        var workflow = Tests.Workflows.ReaderTests.Read(
            """{"do":[{"join":[[{"sql":"hotel"}],[{"sql":"flight"},{"run":"child","compensate":[{"sql":"undo"}]}]]}]}""");
        var facts = new InstanceFacts(Guid.CreateVersion7(), null, null, Json.Null, Json.FromText("{}"));
        var journal = new Journal(workflow, facts, InstanceState.Initial).Take(new Started(VirtualRun.Epoch));
        journal = journal.Carried(journal.Commands).Take(new NodeCompleted(VirtualRun.Epoch, new("/do/0/join/1/0", 0, 1), Json.Null));
        if (isTakenOver)
            journal = new Journal(workflow, facts, journal.State).Reissue();
        journal = journal.Take(new NodeFailed(VirtualRun.Epoch, new("/do/0/join/0/0", 0, 1), new("full")));
        Assert.Equal(isTakenOver, journal.State.Outcome is null);
        Assert.Equal(isTakenOver, !journal.State.Lingering.IsEmpty);
        Assert.Equal(isTakenOver ? [] : ["/do/0/join/1/1"], journal.Ended.Skip(1).Select(execution => execution.Key.Path).Where(path => path.Contains("join/1/1", StringComparison.Ordinal)));
        Assert.Equal(isTakenOver ? ["CancelChildren"] : [], journal.Commands.Where(command => command.Key.Path == "/do/0/join/1/1").Select(command => command.GetType().Name));
    }

    [Fact]
    public void A_snapshot_with_what_lingers_reads_back_the_same()
    {
        var run = Of(Saga, _ => NodeEvent.Fails("full"));
        run.Until(TimeSpan.FromMilliseconds(20));
        var snapshot = StateJson.Write(run.State);
        Assert.Equal(JsonElement.Parse(snapshot.Utf8.Span).GetRawText(), JsonElement.Parse(StateJson.Write(StateJson.Read(snapshot)).Utf8.Span).GetRawText());
        Assert.NotNull(StateJson.Read(snapshot).Ending!.Resume);
    }

    [Theory]
    [InlineData(10, long.MaxValue, 10, "Millrace:Limits:Compensations)")]
    [InlineData(int.MaxValue, 1000, 31, "Millrace:Limits:CompensationBytes)")]
    public void A_loop_that_has_too_much_to_undo_fails_before_it_does_more(int most, long bytes, int done, string setting)
    {
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read("""{"do":[{"loop":[{"sql":"do","as":"r","compensate":[{"sql":"undo {{ r.n }}"}]}]}]}"""),
            _ => NodeEvent.Rows("""{"n":1}"""), compensations: most, compensationBytes: bytes);
        run.Start();
        run.ToEnd();
        Assert.Equal(("too_many_compensations", "/do/0/loop/0"), (run.Outcome!.Error!.Code, run.Outcome.Error.Path));
        Assert.EndsWith(setting, run.Outcome.Error.Message, StringComparison.Ordinal);
        Assert.Equal(done, run.Given.Count(command => ((ExecuteSql)command).Sql.Query.Source == "do"));
        Assert.Equal(done, run.Given.Count(command => ((ExecuteSql)command).Sql.Query.Source != "do"));
    }

    [Fact]
    public void What_lingers_counts_as_something_to_undo()
    {
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read("""{"do":[{"loop":[{"race":[[{"http":"https://slow/","compensate":[{"sql":"undo"}]}],[{"sleep":"1ms"}]]}]}]}"""),
            _ => NodeEvent.Rows(), compensations: 10)
        { Duration = _ => TimeSpan.FromHours(1) };
        run.Start();
        run.Until(TimeSpan.FromSeconds(1));
        Assert.Equal((10, "too_many_compensations"), (run.State.Lingering.Count, run.State.Ending!.Error.Code));
    }

    private static VirtualRun Of(string nodes, Func<Execute, NodeEvent>? results = null, int children = 50, int cancelled = 1)
    {
        var run = new VirtualRun(Tests.Workflows.ReaderTests.Read($$"""{"do":[{{nodes}}]}"""), results ?? (_ => NodeEvent.Rows("""{"n":1}""")))
        {
            Duration = command => TimeSpan.FromMilliseconds(command switch { ExecuteHttp => 50, StartChildren => children, _ => 5 }),
            CancelDuration = _ => TimeSpan.FromMilliseconds(cancelled),
        };
        run.Start();
        return run;
    }
}
