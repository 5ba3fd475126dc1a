using Millrace.Execution;
using Millrace.Tests.Support;
using Millrace.Values;

namespace Millrace.Tests.Execution;

public sealed class MachineTests
{
    [Fact]
    public void A_sequence_ends_with_its_last_result()
    {
        var run = VirtualRun.Of("""{"sql":"select 1"},{"set":{"a":{"b":2}}}""").ToEnd();
        Assert.Equal("""{"a":{"b":2}}""", run.Outcome!.Result!.ToString());
        Assert.Equal(["/do/0 sql 1 completed", "/do/1 set 1 completed"], run.Story);
    }

    [Theory]
    [InlineData("{{ r.x }}", "\"first\"")]
    [InlineData("{{ r }}", "\"first\"")]
    [InlineData("{{ r.rows[1].x }}", "\"second\"")]
    [InlineData("{{ r.rows }}", """[{"x":"first","y":{"z":[1,2]}},{"x":"second"}]""")]
    [InlineData("{{ r.row_count }}", "2")]
    [InlineData("{{ r.y.z[1] }}", "2")]
    [InlineData("{{ r.y }}", """{"z":[1,2]}""")]
    [InlineData("a {{ r.x }} b {{ r.y.z[0] }} {{ r.y }} {{ r.no? }}.", "\"a first b 1 {\\\"z\\\":[1,2]} .\"")]
    [InlineData("{{ r.no? }}", "null")]
    [InlineData("{{ no.no? }}", "null")]
    [InlineData("{{ empty.x? }}", "null")]
    [InlineData("{{ input.k }}", "{\"deep\":true}")]
    [InlineData("{{ input[\"a key\"] }}", "7")]
    [InlineData("{{ vars.v }}", "\"var\"")]
    [InlineData("{{ instance.label }} {{ instance.workflow }} {{ instance.attempt }}", "\"label name 1\"")]
    [InlineData("{{ http.body.id }}", "5")]
    [InlineData("{{ http.body }}", "\"{\\\"id\\\":5}\"")]
    [InlineData("{{ http.status }}", "201")]
    public void Templates_read_results_input_variables_and_the_instance(string template, string expected)
    {
        var run = VirtualRun.Of(
            $$"""{"sql":"select 1","as":"r"},{"sql":"select 2","as":"empty"},{"http":"http://example.com","as":"http"},{"return":{{System.Text.Json.JsonSerializer.Serialize(template)}}}""",
            command => command.Key.Path switch
            {
                "/do/0" => NodeEvent.Rows("""{"x":"first","y":{"z":[1,2]}}""", """{"x":"second"}"""),
                "/do/1" => NodeEvent.Rows(),
                _ => NodeEvent.Of("""{"status":201,"ok":true,"headers":{},"body":"{\"id\":5}","encoding":"text","duration_ms":1}"""),
            },
            """{"k":{"deep":true},"a key":7}""").ToEnd();
        Assert.Equal(expected, run.Outcome!.Result!.ToString());
    }

    [Theory]
    [InlineData("{{ no }}", "no result named \"no\"")]
    [InlineData("{{ empty.x }}", "\"empty\" has no rows")]
    [InlineData("{{ r.m }}", "\"r\" has no \"m\". Did you mean \"n\"?")]
    [InlineData("{{ r.rows[9].n }}", "has 1 elements")]
    [InlineData("{{ input.a.b }}", "\"input.a\" is a number")]
    public void A_missing_value_fails_the_node_and_names_it(string template, string message)
    {
        var run = VirtualRun.Of(
            $$"""{"sql":"select 1","as":"r"},{"sql":"select 2","as":"empty"},{"sql":"select {{template}}","retry":{"attempts":3} }""",
            command => command.Key.Path == "/do/1" ? NodeEvent.Rows() : NodeEvent.Rows("""{"n":1}"""),
            """{"a":1}""").ToEnd();
        Assert.Equal(InstanceStatus.Failed, run.Outcome!.Status);
        Assert.Contains(message, run.Outcome.Error!.Message, StringComparison.Ordinal);
        Assert.Equal(("/do/2", "sql", 1), (run.Outcome.Error.Path, run.Outcome.Error.Kind, run.Outcome.Error.Attempt));
    }

    [Theory]
    [InlineData("""{"equals":[1,1.0]}""", true)]
    [InlineData("""{"equals":[{"a":1,"b":2},{"b":2,"a":1}]}""", true)]
    [InlineData("""{"equals":["1",1]}""", false)]
    [InlineData("""{"notEquals":["a","b"]}""", true)]
    [InlineData("""{"greaterThan":[10,9]}""", true)]
    [InlineData("""{"greaterThan":["10","9"]}""", false)]
    [InlineData("""{"lessThan":[1e300,2e300]}""", true)]
    [InlineData("""{"equals":[1e2147483648,10e2147483647]}""", true)]
    [InlineData("""{"notEquals":[[{"n":1e2147483648}],[{"n":1e2147483649}]]}""", true)]
    [InlineData("""{"contains":[[{"n":1e2147483648}],{"n":10e2147483647}]}""", true)]
    [InlineData("""{"greaterThan":[1e99999999999999999999,1e99999999999999999998]}""", true)]
    [InlineData("""{"lessThan":[12345678901234567890.123456789012345678901234567890,12345678901234567890.123456789012345678901234567891]}""", true)]
    [InlineData("\"{{ input.tiny }}\"", true)]
    [InlineData("\"{{ input.zeros }}\"", false)]
    [InlineData("""{"lessThan":["\uffff","\ud83d\ude00"]}""", true)]
    [InlineData("""{"lessThan":["2026-01-01","2026-02-01"]}""", true)]
    [InlineData("""{"contains":["haystack","st"]}""", true)]
    [InlineData("""{"contains":[[1,2],2.0]}""", true)]
    [InlineData("""{"contains":[{"k":null},"k"]}""", true)]
    [InlineData("""{"contains":[{"k":null},"v"]}""", false)]
    [InlineData("""{"rows":"r"}""", true)]
    [InlineData("""{"rows":"empty"}""", false)]
    [InlineData("\"{{ empty }}\"", false)]
    [InlineData("\"{{ empty.x }}\"", false)]
    [InlineData("\"{{ empty.row_count }}\"", false)]
    [InlineData("\"{{ r }}\"", true)]
    [InlineData("\"x {{ r }}\"", true)]
    [InlineData("\"{{ input.zero }}\"", false)]
    [InlineData("\"{{ input.f }}\"", false)]
    [InlineData("\"{{ input.list }}\"", false)]
    [InlineData("\"{{ input.no }}\"", false)]
    [InlineData("\"{{ input.No }}\"", true)]
    [InlineData("""{"sql":"select 1"}""", true)]
    [InlineData("""{"not":{"sql":"select 1"}}""", false)]
    [InlineData("""{"all":[{"sql":"select 1"},{"equals":[1,1]},{"sql":"select 2"}]}""", true)]
    [InlineData("""{"any":[{"not":{"sql":"select 1"}},{"equals":[1,2]}]}""", false)]
    public void Conditions_decide_the_branch(string condition, bool holds)
    {
        var run = VirtualRun.Of(
            $$"""{"sql":"select 1","as":"r"},{"sql":"select 2","as":"empty"},{"if":{{condition}},"then":[{"return":true}],"else":[{"return":false}]}""",
            command => command.Key.Path == "/do/1" ? NodeEvent.Rows() : NodeEvent.Rows("""{"n":1}"""),
            """{"zero":0.0,"tiny":1e-2147483649,"zeros":-0.00e99999999999999999999,"f":"f","list":[],"no":"no","No":"No"}""").ToEnd();
        Assert.Equal(holds ? "true" : "false", run.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_condition_asks_no_more_statements_than_it_needs()
    {
        var run = VirtualRun.Of(
            """{"if":{"any":[{"sql":"select 'f'"},{"all":[{"sql":"select 1"},{"equals":[1,1]}]},{"sql":"select 2"}]},"then":[{"set":{"a":1}}]}""",
            command => command.Key.Path == "/do/0/if/any/0" ? NodeEvent.Rows("""{"x":"f"}""") : NodeEvent.Rows("""{"x":true}""")).ToEnd();
        Assert.Equal(["/do/0/if/any/0", "/do/0/if/any/1/all/0"], run.Given.Select(command => command.Key.Path));
        Assert.Equal(InstanceStatus.Completed, run.Outcome!.Status);
    }

    [Theory]
    [InlineData("""{"greaterThan":[1,"a"]}""")]
    [InlineData("""{"contains":[1,1]}""")]
    [InlineData("""{"rows":"nothing"}""")]
    public void A_condition_without_an_answer_fails_the_if(string condition)
    {
        var run = VirtualRun.Of($$"""{"if":{{condition}},"then":[{"return":1}]}""").ToEnd();
        Assert.Equal((InstanceStatus.Failed, "/do/0", "if"), (run.Outcome!.Status, run.Outcome.Error!.Path, run.Outcome.Error.Kind));
    }

    [Fact]
    public void Failed_attempts_are_repeated_with_growing_pauses()
    {
        var run = VirtualRun.Of("""{"sql":"select 1","retry":{"attempts":4,"backoff":"1s","factor":2,"jitter":false}}""", _ => NodeEvent.Fails("no")).ToEnd();

        Assert.Equal(["/do/0 sql 1 failed", "/do/0 sql 2 failed", "/do/0 sql 3 failed", "/do/0 sql 4 failed"], run.Story);
        var pauses = run.History.Zip(run.History.Skip(1), (a, b) => (b.StartedAt - a.EndedAt).TotalSeconds);
        Assert.Equal([1, 2, 4], pauses);
        Assert.Equal((4, "no"), (run.Outcome!.Error!.Attempt, run.Outcome.Error.Message));
    }

    [Fact]
    public void A_later_attempt_that_succeeds_makes_the_node_succeed()
    {
        var run = VirtualRun.Of(
            """{"http":"http://example.com","as":"r"},{"return":"{{ r.ok }}"}""",
            command => command.Key.Attempt < 3 ? NodeEvent.Fails("503") : NodeEvent.Of("""{"ok":true}""")).ToEnd();
        Assert.Equal("true", run.Outcome!.Result!.ToString());
        Assert.Equal(3, run.Given.Count);
    }

    [Fact]
    public void What_cannot_succeed_is_not_repeated()
    {
        var run = VirtualRun.Of("""{"http":"http://example.com"}""", _ => NodeEvent.Fails("refused", retryable: false)).ToEnd();
        Assert.Equal(["/do/0 http 1 failed"], run.Story);
    }

    [Fact]
    public void A_sleep_tells_how_long_it_was()
    {
        var run = VirtualRun.Of("""{"sleep":"{{ input.pause }}","as":"s"},{"return":"{{ s }}"}""", input: """{"pause":"1.5s"}""");
        Assert.Equal(run.Now + TimeSpan.FromSeconds(1.5), run.State.NextDue);
        Assert.Equal("""{"slept":true,"seconds":1.5}""", run.ToEnd().Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_container_that_times_out_gives_up_what_is_inside()
    {
        var run = VirtualRun.Of("""{"if":{"equals":[1,1]},"then":[{"sleep":"1h"}],"timeout":"2s"}""").ToEnd();
        Assert.Equal(["/do/0/then/0 sleep 1 cancelled", "/do/0 if 1 failed"], run.Story);
        Assert.Equal(("timeout", "/do/0"), (run.Outcome!.Error!.Code, run.Outcome.Error.Path));
    }

    [Fact]
    public void A_repeated_container_has_executions_of_its_own_each_time()
    {
        var run = VirtualRun.Of(
            """{"if":{"sql":"select 1"},"then":[{"sql":"select 2"}],"retry":{"attempts":2,"backoff":"1s"}}""",
            command => command.Key.Path == "/do/0/then/0" ? NodeEvent.Fails("once") : NodeEvent.Rows("""{"n":1}""")).ToEnd();
        Assert.Equal(
            ["/do/0/if sql 1 completed", "/do/0/then/0 sql 1 failed", "/do/0 if 1 failed", "/do/0@2/if sql 1 completed", "/do/0@2/then/0 sql 1 completed", "/do/0 if 2 completed"],
            run.Story);
    }

    [Fact]
    public void Cancelling_records_what_was_given_up()
    {
        var run = VirtualRun.Of("""{"if":{"equals":[1,1]},"then":[{"sql":"select 1"}]}""");
        run.Cancel("enough");
        Assert.Equal(["/do/0/then/0 sql 1 cancelled", "/do/0 if 1 cancelled"], run.Story);
        Assert.Equal((InstanceStatus.Cancelled, "enough"), (run.Outcome!.Status, run.Outcome.Error!.Message));
        Assert.False(run.Step());
    }

    [Fact]
    public void A_late_result_of_something_given_up_changes_nothing()
    {
        var run = VirtualRun.Of("""{"sql":"select 1"},{"sleep":"1h"}""");
        run.Step();
        var workflow = Tests.Workflows.ReaderTests.Read("""{"do":[{"sql":"select 1"},{"sleep":"1h"}]}""");
        var facts = new InstanceFacts(Guid.NewGuid(), null, null, Json.Null, Json.FromText("{}"));
        var decision = Machine.Decide(workflow, facts, run.State, NodeEvent.Rows().At(run.Now, new("/do/0", 0, 1)));
        Assert.Equal(run.State, decision.State);
        Assert.Empty(decision.Ended);
    }
}
