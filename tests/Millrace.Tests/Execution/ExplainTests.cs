using Millrace.Execution;
using Millrace.Explaining;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Execution;

/// <summary>The picture of an instance: what has run, what runs, what will not.</summary>
public sealed class ExplainTests
{
    [Fact]
    public void An_untaken_branch_is_skipped()
    {
        var run = VirtualRun.Of("""{"if":{"equals":[1,1]},"then":[{"set":{}}],"else":[{"set":{"a":1}}]}""").ToEnd();
        Assert.Equal(["completed if", "  completed set", "  skipped set"], Picture(run));
    }

    [Fact]
    public void What_was_executed_before_a_retry_is_shown_as_it_ended()
    {
        var fails = true;
        VirtualRun Run(string nodes) => VirtualRun.Of(nodes, command => command is ExecuteSql { Sql.Query.Source: "b" } && fails && !(fails = false) ? NodeEvent.Fails("no") : NodeEvent.Rows()).ToEnd();

        var tries = Run("""{"try":[{"sql":"a"},{"sql":"b"}],"finally":[{"sql":"clean"}]}""");
        tries.Revive();
        Assert.Equal(["completed try", "  completed sql", "  completed sql", "  completed sql"], Picture(tries.ToEnd()));

        fails = true;
        var branches = Run("""{"if":{"equals":[1,1]},"then":[{"forEach":[1,2],"do":[{"sql":"a"}]},{"loop":[{"sql":"b"}],"max":1}]}""");
        branches.Revive();
        Assert.Equal(["completed if", "  completed forEach (2 items)", "    completed sql", "  completed loop", "    completed sql"], Picture(branches.ToEnd()));
    }

    [Fact]
    public void An_inner_loop_that_was_tried_again_in_a_later_turn_shows_that_one()
    {
        var executions = 0;
        var run = VirtualRun.Of(
            """{"loop":[{"loop":[{"sql":"x"}],"max":1,"retry":{"attempts":2,"backoff":"1s"} }],"max":2}""",
            _ => ++executions == 2 ? NodeEvent.Fails("no") : NodeEvent.Rows()).ToEnd();
        Assert.Equal(["completed loop", "  completed loop", "    completed sql"], Picture(run));
    }

    [Fact]
    public void Abandoned_losers_are_skipped()
    {
        var run = VirtualRun.Of("""{"race":[[{"sleep":"1h"},{"sql":"select 1"}],[{"sleep":"1s"}]]},{"sleep":"1h"}""").Until(TimeSpan.FromSeconds(2));
        Assert.Equal(["completed race", "  skipped sleep", "  skipped sql", "  completed sleep", "waiting sleep"], Picture(run));
    }

    [Fact]
    public void Nodes_after_a_failure_are_skipped()
    {
        var run = VirtualRun.Of("""{"sql":"select 1"},{"join":[[{"fail":"no"}],[{"sleep":"1h"}]]},{"sql":"select 2"}""").ToEnd();
        Assert.Equal(["completed sql", "failed join", "  failed fail", "  skipped sleep", "skipped sql"], Picture(run));
    }

    [Fact]
    public void Nodes_of_an_older_turn_have_not_run_in_this_one()
    {
        var run = VirtualRun.Of("""{"loop":[{"sql":"select 1"},{"sleep":"1m"},{"if":"{{ a? }}","then":[{"sql":"select 2"}],"else":[{"sql":"select 3"}]}]},{"sql":"select 4"}""");
        run.Until(TimeSpan.FromSeconds(61));
        Assert.Equal(
            ["running loop (turn 2)", "  completed sql", "  waiting sleep", "  pending if", "    pending sql", "    pending sql", "pending sql"],
            Picture(run));
        Assert.Contains("/do/0/loop/2/else/0 sql 1 completed", run.Story);
    }

    [Fact]
    public void A_try_that_is_being_handled_has_its_rest_skipped_and_its_finally_before_it()
    {
        var run = VirtualRun.Of("""{"try":[{"fail":"no"},{"sql":"select 1"}],"catch":[{"sleep":"1h"},{"set":{}}],"finally":[{"sql":"select 2"}]}""");
        Assert.Equal(["running try", "  failed fail", "  skipped sql", "  waiting sleep", "  pending set", "  pending sql"], Picture(run));
    }

    [Fact]
    public void Of_items_the_first_active_one_is_shown_with_how_many_have_ended()
    {
        var run = VirtualRun.Of("""{"forEach":["1ms","1h","2ms"],"concurrency":2,"do":[{"sleep":"{{ item }}"},{"sql":"select 1"}]}""").Until(TimeSpan.FromMinutes(1));
        Assert.Equal(["running forEach (2 of 3 items)", "  waiting sleep", "  pending sql"], Picture(run));
        Assert.Equal(["completed forEach (3 items)", "  completed sleep", "  completed sql"], Picture(run.ToEnd()));
    }

    [Fact]
    public void Compensations_are_shown_when_they_run()
    {
        var run = VirtualRun.Of("""{"sql":"a","compensate":[{"sql":"undo a"}]},{"sql":"b","compensate":[{"sleep":"1h"},{"sql":"undo b"}]},{"waitForSignal":"x"}""").Until(TimeSpan.FromSeconds(1));
        Assert.Equal(["completed sql", "  pending sql", "completed sql", "  pending sleep", "  pending sql", "waiting waitForSignal (signal x)"], Picture(run));
        run.Cancel("enough");
        Assert.Equal(["completed sql", "  pending sql", "completed sql", "  waiting sleep", "  pending sql", "cancelled waitForSignal"], Picture(run));
        run.ToEnd();
        Assert.Equal(["completed sql", "  completed sql", "completed sql", "  completed sleep", "  completed sql", "cancelled waitForSignal"], Picture(run));

        var completed = VirtualRun.Of("""{"sql":"a","compensate":[{"sql":"undo a"}]}""").ToEnd();
        Assert.Equal(["completed sql", "  skipped sql"], Picture(completed));
    }

    [Fact]
    public void What_lingers_is_shown_as_running()
    {
        var run = VirtualRun.Of(
            """{"race":[[{"sql":"fast"}],[{"sql":"slow","compensate":[{"sql":"undo"}]}],[{"run":"child","compensate":[{"sql":"undo"}]}]]},{"sleep":"1h"}""");
        run.StepPast(command => command is ExecuteSql { Sql.Query.Source: "fast" });
        Assert.Equal(["completed race", "  completed sql", "  running sql", "    pending sql", "  waiting run", "    pending sql", "waiting sleep"], Picture(run));
    }

    [Fact]
    public void Everything_that_waits_says_what_for()
    {
        var run = VirtualRun.Of(
            """
            {"join":[[{"sleep":"1h"}],[{"waitForSignal":"paid","timeout":"2h"}],[{"waitForSignal":"ever"}],[{"waitForSchedule":"0 12 * * *"}],
                     [{"run":"child"}],[{"sql":"select 1","retry":{"attempts":2,"backoff":"3h","jitter":false} }]]}
            """,
            command => command is StartChildren ? NodeEvent.Rows() : NodeEvent.Fails("no"));
        run.StepPast(command => command is ExecuteSql);
        var waits = System.Text.Json.JsonElement.Parse(WaitingOn.Describe(run.Workflow, run.Facts, run.State).Utf8.Span).EnumerateArray()
            .Select(wait => $"{wait.GetProperty("path").GetString()} {wait.GetProperty("reason").GetString()} {wait.GetProperty("until")}{(wait.TryGetProperty("signal", out var signal) ? $" {signal}" : "")}{(wait.TryGetProperty("next_attempt", out var next) ? $" {next}" : "")}");
        Assert.Equal(
            [
                "/do/0/join/0/0 sleep 2026-01-01T01:00:00Z", "/do/0/join/1/0 signal 2026-01-01T02:00:00Z paid", "/do/0/join/2/0 signal  ever",
                "/do/0/join/3/0 schedule 2026-01-01T12:00:00Z", "/do/0/join/4/0 children ", "/do/0/join/5/0 retry 2026-01-01T03:00:00.005Z 2",
            ],
            waits);
    }

    [Fact]
    public void Every_kind_has_its_place_in_the_picture_of_a_definition()
    {
        var workflow = Tests.Workflows.ReaderTests.Read("""
            {"name":"all","do":[
                {"loop":[{"race":[[{"waitForSignal":"go","timeout":"1h"}],[{"break":1}]]}],"while":"{{ a? }}","max":5},
                {"forEach":"{{ b.rows }}","item":"row","spread":true,"do":[{"call":"handler"}]},
                {"try":[{"run":"other"}],"catch":[{"fail":"no"}],"finally":[{"sleep":"1s"}],"compensate":[{"sql":"select 1"}]},
                {"waitForSchedule":"0 3 * * *","timeZone":"Europe/Berlin"}]}
            """);
        var picture = Explainer.Of(workflow);
        Assert.Equal(
            """
            all
            • loop while {{ a? }}, at most 5 turns  [/do/0]
              turn:
                • race 2 branches  [/do/0/loop/0]
                  branch 1:
                    • waitForSignal go  [/do/0/loop/0/race/0/0]
                  branch 2:
                    • break 1  [/do/0/loop/0/race/1/0]
            • forEach row of {{ b.rows }}, spread  [/do/1]
              do:
                • call handler  [/do/1/do/0]
            • try   [/do/2]
              try:
                • run other  [/do/2/try/0]
              catch:
                • fail no  [/do/2/catch/0]
              finally:
                • sleep 1s  [/do/2/finally/0]
              compensate:
                • sql select 1  [/do/2/compensate/0]
            • waitForSchedule 0 3 * * * Europe/Berlin  [/do/3]

            """,
            ExplainText.Draw(picture));
        var mermaid = ExplainMermaid.Draw(picture);
        Assert.Contains("n0{\"loop<br/>", mermaid, StringComparison.Ordinal);
        Assert.Contains("-->|again| n0", mermaid, StringComparison.Ordinal);
        Assert.Contains("|branch 2|", mermaid, StringComparison.Ordinal);
    }

    private static List<string> Picture(VirtualRun run)
    {
        var status = run.Outcome?.Status ?? InstanceStatus.Running;
        var state = run.Outcome is null ? run.State : InstanceState.Initial;
        return [.. Lines(Explainer.Of(run.Workflow, run.Facts, status, state, run.History.Select(Sketch)).Nodes, "")];
    }

    private static ExecutionSketch Sketch(NodeExecution execution) => new(
        execution.Key, execution.Status, execution.StartedAt, execution.EndedAt, execution.Error?.Message,
        execution is { Kind: "forEach", Result.Element: { ValueKind: System.Text.Json.JsonValueKind.Array } items } ? items.GetArrayLength() : null);

    private static IEnumerable<string> Lines(IEnumerable<ExplainedNode> nodes, string indent) => nodes.SelectMany(node =>
        Lines(node.Branches.SelectMany(branch => branch.Nodes), indent + "  ")
            .Prepend($"{indent}{node.Status} {node.Kind}{(node.Detail is null ? "" : $" ({node.Detail})")}"));
}
