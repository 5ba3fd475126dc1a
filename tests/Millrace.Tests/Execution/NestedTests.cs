using Millrace.Execution;
using Millrace.Tests.Support;

namespace Millrace.Tests.Execution;

/// <summary>Kinds inside kinds, where it is easy to get wrong what ends what.</summary>
public sealed class NestedTests
{
    [Fact]
    public void Break_inside_a_join_inside_a_race_inside_a_loop_ends_the_loop_and_everything_in_it()
    {
        var run = VirtualRun.Of("""
            {"loop":[
                {"race":[
                    [{"join":[
                        [{"sleep":"1h"}],
                        [{"sql":"select 1"},{"break":"out"}]]}],
                    [{"waitForSignal":"never"}]]}],
             "as":"result"},
            {"return":"{{ result }}"}
            """).ToEnd();
        Assert.Equal("\"out\"", run.Outcome!.Result!.ToString());
        Assert.Equal(
            [
                "/do/0/loop/0/race/0/0/join/1/0 sql 1 completed", "/do/0/loop/0/race/0/0/join/1/1 break 1 completed",
                "/do/0/loop/0/race/0/0/join/0/0 sleep 1 cancelled", "/do/0/loop/0/race/0/0 join 1 completed",
                "/do/0/loop/0/race/1/0 waitForSignal 1 cancelled", "/do/0/loop/0 race 1 completed", "/do/0 loop 1 completed", "/do/1 return 1 completed",
            ],
            run.Story);
    }

    [Fact]
    public void A_race_whose_loser_is_a_loop_stops_the_loop_in_its_turn()
    {
        var run = VirtualRun.Of("""{"race":[[{"sleep":"12ms"}],[{"loop":[{"sql":"select 1"}]}]]}""").ToEnd();
        Assert.Equal(InstanceStatus.Completed, run.Outcome!.Status);
        // Turns of 5 ms each: two have ended, the third one is given up.
        Assert.Equal(3, run.Given.Count);
        Assert.Equal(["0 completed", "1 completed", "2 cancelled"], run.History.Where(execution => execution.Kind == "sql").Select(execution => $"{execution.Key.Iteration} {execution.Status.Name()}"));
        Assert.Equal(NodeStatus.Cancelled, run.History.Single(execution => execution.Kind == "loop").Status);
    }

    [Fact]
    public void A_signal_that_comes_before_its_wait_is_received_by_it()
    {
        var run = VirtualRun.Of("""{"sql":"select 1"},{"waitForSignal":"paid"}""");
        run.Signal("paid", "1");
        run.Signal("paid", "2");
        Assert.Equal("""{"signal_name":"paid","timed_out":false,"data":1}""", run.ToEnd().Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_signal_that_comes_during_its_wait_ends_it()
    {
        var run = VirtualRun.Of("""{"waitForSignal":"paid"}""");
        Assert.Equal(["\"/do/0\" \"signal\""], run.Waits.Select(wait => string.Join(' ', wait.Split(' ').Select(part => $"\"{part}\""))));
        run.Signal("refunded");
        Assert.Null(run.Outcome);
        run.Signal("paid", """{"by":"card"}""");
        Assert.Equal("""{"signal_name":"paid","timed_out":false,"data":{"by":"card"}}""", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_signal_that_comes_after_its_wait_waits_for_the_next_one()
    {
        var run = VirtualRun.Of("""{"waitForSignal":"paid","timeout":"1s","as":"first"},{"sleep":"1h"},{"waitForSignal":"paid","as":"second"},{"return":["{{ first.timed_out }}","{{ second.data }}"]}""");
        run.Until(TimeSpan.FromSeconds(2));
        run.Signal("paid", "7");
        Assert.Equal("[true,7]", run.ToEnd().Outcome!.Result!.ToString());
    }

    [Fact]
    public void Signals_of_one_name_are_received_in_the_order_in_which_they_came()
    {
        var run = VirtualRun.Of("""{"loop":[{"waitForSignal":"n","as":"s"},{"set":{"all":["{{ all? }}","{{ s.data }}"]}}],"max":3}""");
        run.Signal("n", "1");
        run.Signal("other", "0");
        run.Signal("n", "2");
        run.Signal("n", "3");
        Assert.Equal("""{"all":[[[null,1],2],3]}""", run.Outcome!.Result!.ToString());
    }

    [Theory]
    [InlineData(true, """{"signal_name":"paid","timed_out":false,"data":1}""")]
    [InlineData(false, """{"signal_name":"paid","timed_out":true,"data":null}""")]
    public void Of_a_time_out_and_a_signal_in_the_same_instant_the_one_that_is_taken_in_first_counts(bool signalFirst, string result)
    {
        var run = VirtualRun.Of("""{"waitForSignal":"paid","timeout":"1s"}""");
        run.Until(TimeSpan.FromMilliseconds(999));
        run.SignalAt(TimeSpan.FromSeconds(1), "paid", "1");
        if (signalFirst)
        {
            // The worker's order: what has come goes before what is due.
            run.Step();
            Assert.Equal(VirtualRun.Epoch + TimeSpan.FromSeconds(1), run.Now);
        }
        else
        {
            run.TimerFirst();
        }

        Assert.Equal(result, run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_join_with_a_failing_branch_gives_up_the_one_that_sleeps()
    {
        var run = VirtualRun.Of(
            """{"join":[[{"sleep":"1h"},{"sql":"select 'never'"}],[{"sql":"select 1"}],[{"sql":"select 2"},{"sql":"select 3"}]]}""",
            command => command.Key.Path == "/do/0/join/1/0" ? NodeEvent.Fails("no") : NodeEvent.Rows()).ToEnd();
        Assert.Equal(("/do/0/join/1/0", "sql", 1, "no"), (run.Outcome!.Error!.Path, run.Outcome.Error.Kind, run.Outcome.Error.Attempt, run.Outcome.Error.Message));
        Assert.Equal(
            ["/do/0/join/1/0 sql 1 failed", "/do/0/join/0/0 sleep 1 cancelled", "/do/0/join/2/0 sql 1 cancelled", "/do/0 join 1 failed"],
            run.Story);
    }

    [Fact]
    public void A_retry_inside_a_try_inside_a_forEach_is_each_items_own()
    {
        var run = VirtualRun.Of(
            """
            {"forEach":[1,2,3],"concurrency":2,"do":[
                {"try":[{"sql":"select {{ item }}","retry":{"attempts":3,"backoff":"1s","jitter":false} }],
                 "catch":[{"set":{"failed":"{{ item }}","after":"{{ error.attempt }}"} }]}]}
            """,
            command => (command.Key.Path, command.Key.Attempt) switch
            {
                ("/do/0[1]/do/0/try/0", _) => NodeEvent.Fails("never"),
                ("/do/0[2]/do/0/try/0", 1) => NodeEvent.Fails("once"),
                _ => NodeEvent.Of($"\"{command.Key.Path}\""),
            }).ToEnd();
        Assert.Equal("""["/do/0[0]/do/0/try/0",{"failed":2,"after":3},"/do/0[2]/do/0/try/0"]""", run.Outcome!.Result!.ToString());
        Assert.Equal(6, run.Given.Count);
    }

    [Fact]
    public void Compensation_of_a_half_finished_join_undoes_what_was_done_and_nothing_else()
    {
        var run = VirtualRun.Of(
            """
            {"sql":"reserve","as":"r","compensate":[{"sql":"release {{ r.n }}"}]},
            {"join":[
                [{"sql":"charge","as":"c","compensate":[{"sql":"refund {{ c.n }} {{ r.n }}"}]},{"sleep":"1h"}],
                [{"sql":"ship","compensate":[{"sql":"recall"}]}],
                [{"sleep":"1s"},{"fail":"no more"}],
                [{"sleep":"2s"},{"sql":"notify","compensate":[{"sql":"apologise"}]}]]}
            """,
            command => command.Key.Path == "/do/1/join/1/0" ? NodeEvent.Rows() : NodeEvent.Rows($$"""{"n":{{(command.Key.Path == "/do/0" ? 1 : 2)}}}""")).ToEnd();
        Assert.Equal(
            ["/do/0", "/do/1/join/0/0", "/do/1/join/1/0", "/do/1/join/1/0/compensate/0", "/do/1/join/0/0/compensate/0", "/do/0/compensate/0"],
            run.Given.Select(command => command.Key.Path));
        Assert.Equal(["2", "1"], ((ExecuteSql)run.Given[4]).Parameters.Select(value => value.ToString()));
        Assert.Equal((InstanceStatus.Failed, "no more"), (run.Outcome!.Status, run.Outcome.Error!.Message));
        Assert.Null(run.Resume);
    }

    [Fact]
    public void A_compensation_that_fails_does_not_keep_the_others_from_running_and_is_told()
    {
        var run = VirtualRun.Of(
            """{"sql":"a","compensate":[{"sql":"undo a"}]},{"sql":"b","compensate":[{"sql":"undo b"}]},{"fail":"stop"}""",
            command => command.Key.Path == "/do/1/compensate/0" ? NodeEvent.Fails("cannot") : NodeEvent.Rows()).ToEnd();
        Assert.Equal(["/do/0", "/do/1", "/do/1/compensate/0", "/do/0/compensate/0"], run.Given.Select(command => command.Key.Path));
        Assert.Equal("stop; 1 compensation failed too, first sql at /do/1/compensate/0: cannot", run.Outcome!.Error!.Message);
    }

    [Fact]
    public void A_cancelled_instance_is_undone_and_a_completed_one_is_not()
    {
        const string nodes = """{"sql":"a","compensate":[{"sql":"undo a"}]},{"sleep":"1h"}""";
        var cancelled = VirtualRun.Of(nodes).Until(TimeSpan.FromSeconds(1));
        cancelled.Cancel("enough");
        cancelled.Cancel("again");
        cancelled.ToEnd();
        Assert.Equal(["/do/0", "/do/0/compensate/0"], cancelled.Given.Select(command => command.Key.Path));
        Assert.Equal((InstanceStatus.Cancelled, "enough"), (cancelled.Outcome!.Status, cancelled.Outcome.Error!.Message));

        Assert.Equal(["/do/0"], VirtualRun.Of(nodes).ToEnd().Given.Select(command => command.Key.Path));
    }

    [Fact]
    public void A_loop_in_a_branch_of_a_join_has_results_of_its_own()
    {
        var run = VirtualRun.Of("""
            {"set":{"n":"outer"}},
            {"join":[
                [{"loop":[{"set":{"n":["{{ n }}",1]}}],"max":3}],
                [{"sql":"select 1"},{"set":{"m":"{{ n }}"}}]]},
            {"return":["{{ n }}","{{ m }}"]}
            """).ToEnd();
        Assert.Equal("""[[[["outer",1],1],1],"outer"]""", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_name_set_in_a_branch_is_visible_after_the_join_and_not_in_its_siblings()
    {
        var run = VirtualRun.Of("""
            {"join":[
                [{"set":{"a":1}},{"sql":"select 1"},{"set":{"seen_b":"{{ b? }}","own":"{{ a }}"}}],
                [{"set":{"b":2}},{"sql":"select 1"},{"set":{"seen_a":"{{ a? }}"}}]],
             "as":"all"},
            {"return":["{{ a }}","{{ b }}","{{ own }}","{{ seen_a }}","{{ seen_b }}"]}
            """).ToEnd();
        Assert.Equal("[1,2,1,null,null]", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_name_set_again_in_a_loop_is_replaced()
    {
        var run = VirtualRun.Of("""{"set":{"n":[]}},{"loop":[{"set":{"n":["{{ n }}"]}}],"max":2},{"return":"{{ n }}"}""").ToEnd();
        Assert.Equal("[[[]]]", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void Of_a_race_only_the_winners_names_stay()
    {
        var run = VirtualRun.Of("""{"race":[[{"set":{"a":1}},{"sleep":"1s"},{"set":{"b":1}}],[{"set":{"a":2}},{"sleep":"2s"}]]},{"return":["{{ a }}","{{ b }}"]}""").ToEnd();
        Assert.Equal("[1,1]", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void Names_of_items_stay_with_them()
    {
        var run = VirtualRun.Of("""{"set":{"n":0}},{"forEach":[{"k":1},{"k":2}],"item":"row","do":[{"set":{"n":"{{ row.k }}"}},{"return":["{{ n }}","{{ instance.id }}"]}]}""").ToEnd();
        Assert.Equal("""[1,"01900000-0000-7000-8000-00000000abcd"]""", run.Outcome!.Result!.ToString());
        var kept = VirtualRun.Of("""{"set":{"n":0}},{"forEach":[{"k":1},{"k":2}],"do":[{"set":{"n":"{{ item.k }}"}}]},{"return":"{{ n }}"}""").ToEnd();
        Assert.Equal("0", kept.Outcome!.Result!.ToString());
    }

    [Fact]
    public void Finally_runs_after_a_result_a_failure_a_break_and_a_return()
    {
        static string Story(string nodes) => string.Join(' ', VirtualRun.Of(nodes).ToEnd().Given.Select(command => ((ExecuteSql)command).Sql.Query.Source));
        Assert.Equal("ok always", Story("""{"try":[{"sql":"ok"}],"finally":[{"sql":"always"}]}"""));
        Assert.Equal("always", Story("""{"try":[{"fail":"no"}],"finally":[{"sql":"always"}]}"""));
        Assert.Equal("caught always", Story("""{"try":[{"fail":"no"}],"catch":[{"sql":"caught"},{"fail":"again"}],"finally":[{"sql":"always"}]}"""));
        Assert.Equal("always after", Story("""{"loop":[{"try":[{"break":1}],"finally":[{"sql":"always"}]},{"sql":"not"}]},{"sql":"after"}"""));
        Assert.Equal("always", Story("""{"try":[{"return":1}],"finally":[{"sql":"always"}]},{"sql":"not"}"""));
    }

    [Fact]
    public void An_error_that_is_caught_names_path_kind_attempt_code_and_cause()
    {
        var run = VirtualRun.Of(
            """{"try":[{"http":"https://example.com","retry":{"attempts":2,"backoff":"1s"} }],"catch":[{"return":"{{ error }}"}]}""",
            _ => NodeEvent.Fails("down")).ToEnd();
        Assert.Equal("""{"message":"down","path":"/do/0/try/0","kind":"http","attempt":2,"code":"X"}""", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_loop_that_waits_for_nothing_lets_others_run_and_ends_at_its_most_turns()
    {
        var run = VirtualRun.Of("""{"loop":[{"set":{"n":1}}],"max":1000}""").ToEnd();
        Assert.Equal(InstanceStatus.Completed, run.Outcome!.Status);
        Assert.Equal(1001, run.History.Count);
        Assert.Equal(VirtualRun.Epoch, run.Now);
    }

    [Fact]
    public void The_state_of_a_loop_is_as_small_after_a_million_turns_as_after_the_first()
    {
        var run = VirtualRun.Of("""{"loop":[{"sql":"select 1","as":"r"},{"set":{"n":"{{ r.n }}"}}],"while":{"sql":"select 1"}}""");
        run.Step();
        run.Step();
        var first = StateJson.Write(run.State).Utf8.Length;
        for (var i = 0; i < 20_000; i++)
            run.Step();
        Assert.InRange(StateJson.Write(run.State).Utf8.Length, 0, first + 20);
    }

    [Fact]
    public void Executions_of_nested_loops_and_items_have_keys_of_their_own()
    {
        var run = VirtualRun.Of("""
            {"loop":[{"forEach":["a","b"],"do":[{"loop":[{"sql":"select 1"}],"max":2}]}],"max":2,
             "retry":{"attempts":2}}
            """).ToEnd();
        Assert.Equal(8, run.Given.Select(command => command.Key).Distinct().Count());
        Assert.Contains(new NodeKey("/do/0/loop/0[1]/do/0#1/loop/0", 1, 1), run.Given.Select(command => command.Key));
    }

    [Fact]
    public void A_result_that_is_put_together_may_not_grow_beyond_the_limit()
    {
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read("""{"do":[{"join":[[{"sql":"select 1"}],[{"sql":"select 2"}]],"id":"both"}]}"""),
            _ => NodeEvent.Of($"\"{new string('x', 600)}\""), resultBytes: 1000);
        run.Start();
        Assert.Equal(("result_too_large", "/do/0", "join"), (run.ToEnd().Outcome!.Error!.Code, run.Outcome!.Error!.Path, run.Outcome.Error.Kind));
    }
}
