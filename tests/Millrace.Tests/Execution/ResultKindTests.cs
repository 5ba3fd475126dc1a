using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Execution;
using Millrace.Pump;
using Millrace.Tests.Support;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Execution;

/// <summary>A result is what its node made it; a value that only looks like one is a value.</summary>
public sealed class ResultKindTests
{
    private const string Row = """{"rows":[{"id":1,"v":2}],"row_count":10}""";
    private const string Envelope = """{"status":200,"ok":true,"headers":{},"body":"{\"id\":5}","encoding":"text","duration_ms":1}""";

    [Theory]
    [InlineData("""{"rows":["a"],"row_count":1}""")]
    [InlineData(Row)]
    [InlineData("""{"rows":[],"row_count":0}""")]
    public void A_value_that_looks_like_a_statements_result_stays_a_value(string value)
    {
        var run = VirtualRun.Of($$$"""{"set":{"page":{{{value}}} }},{"return":["{{ page }}","{{ page.rows }}"]}""").ToEnd();
        Assert.Equal($"[{value},{JsonElement.Parse(value).GetProperty("rows").GetRawText()}]", run.Outcome!.Result!.ToString());
    }

    [Theory]
    [InlineData("""{"set":{"it":<it>} }""")]
    [InlineData("""{"call":"handler","as":"it"}""")]
    [InlineData("""{"run":"child","as":"it"}""")]
    public void Only_a_statement_makes_rows(string node)
    {
        var run = VirtualRun.Of(Filled(node, Row) + """,{"if":{"rows":"it"},"then":[{"return":1}]}""", _ => NodeEvent.Of(Row)).ToEnd();
        Assert.Equal("the result \"it\" has no rows to look at: it is not the result of a statement", run.Outcome!.Error!.Message);
    }

    [Theory]
    [InlineData("""{"set":{"it":<it>} }""")]
    [InlineData("""{"call":"handler","as":"it"}""")]
    public void Only_a_request_makes_a_response(string node)
    {
        var run = VirtualRun.Of(Filled(node, Envelope) + """,{"return":"{{ it.body.id? }}"}""", _ => NodeEvent.Of(Envelope)).ToEnd();
        Assert.Equal("null", run.Outcome!.Result!.ToString());
    }

    [Theory]
    [InlineData("""{"if":{"equals":[1,1]},"then":[<it>],"as":"it"}""")]
    [InlineData("""{"loop":[<it>],"max":2,"as":"it"}""")]
    [InlineData("""{"try":[<it>],"finally":[{"set":{"x":1}}],"as":"it"}""")]
    [InlineData("""{"race":[[<it>],[{"sleep":"1h"}]],"as":"it"}""")]
    [InlineData("""{"try":[{"fail":"no"}],"catch":[<it>],"as":"it"}""")]
    public void A_container_hands_on_the_last_result_as_what_it_is(string nodes)
    {
        var rows = VirtualRun.Of(Filled(nodes, """{"sql":"select 1"}""") + """,{"return":"{{ it.v }}"}""", _ => NodeEvent.Of(Row)).ToEnd();
        Assert.Equal("2", rows.Outcome!.Result!.ToString());
        var response = VirtualRun.Of(Filled(nodes, """{"http":"http://example.com"}""") + """,{"return":"{{ it.body.id }}"}""", _ => NodeEvent.Of(Envelope)).ToEnd();
        Assert.Equal("5", response.Outcome!.Result!.ToString());
    }

    [Fact]
    public void A_name_for_the_whole_of_a_response_hands_it_on_as_one()
    {
        var run = VirtualRun.Of("""{"http":"http://example.com","as":"a"},{"set":{"b":"{{ a }}"}},{"return":"{{ b.body.id }}"}""", _ => NodeEvent.Of(Envelope)).ToEnd();
        Assert.Equal("5", run.Outcome!.Result!.ToString());
    }

    // At every place at which a snapshot keeps results: names of the instance, of branches, items and handlers, of
    // compensations and of the one that runs, the last result of a loop's turn, and an end that waits for "finally".
    [Theory]
    [InlineData("""{"set":{"p":<it>}},<wait>,{"return":"{{ p }}"}""")]
    [InlineData("""{"join":[[{"set":{"p":<it>}},<wait>,{"set":{"q":"{{ p }}"}}]]},{"return":"{{ q }}"}""")]
    [InlineData("""{"forEach":[1],"do":[{"set":{"p":<it>}},<wait>,{"return":"{{ p }}"}]}""")]
    [InlineData("""{"try":[{"fail":"no"}],"catch":[{"set":{"p":<it>}},<wait>,{"return":"{{ p }}"}]}""")]
    [InlineData("""{"loop":[{"set":{"p":<it>}},{"if":{"equals":[1,1]},"then":[{"call":"handler"}]}],"while":{"sql":"select 1"},"max":1,"as":"l"},{"return":"{{ l }}"}""")]
    [InlineData("""{"loop":[{"try":[{"break":<it>}],"finally":[<wait>]}],"as":"l"},{"return":"{{ l }}"}""")]
    public void A_snapshot_keeps_what_a_value_is(string nodes)
    {
        var run = VirtualRun.Of(Filled(nodes, Row).Replace("<wait>", """{"waitForSignal":"go"}""", StringComparison.Ordinal), _ => NodeEvent.Of(Row));
        while (run.Outcome is null)
        {
            run.Park();
            run.CrashAndRestore([]);
            if (!run.Step())
                run.Signal("go");
        }

        Assert.Equal(Row, run.Outcome.Result!.ToString());
    }

    [Fact]
    public void A_snapshot_keeps_what_compensations_read()
    {
        var run = VirtualRun.Of(
            $$$"""{"set":{"p":{{{Row}}} }},{"sql":"a","compensate":[{"waitForSignal":"go"},{"call":"undo","with":"{{ p }}"}]},{"waitForSignal":"on"},{"fail":"stop"}""");
        run.Step();
        run.Park();
        run.CrashAndRestore([]);
        run.Signal("on");
        run.Park();
        run.CrashAndRestore([]);
        run.Signal("go");
        Assert.Equal(Row, ((ExecuteCall)run.Given[^1]).Input.ToString());
    }

    [Fact]
    public void A_snapshot_of_a_program_before_this_is_read_as_it_was_written()
    {
        var names = ImmutableDictionary<string, Json>.Empty.Add("rows", Json.FromText(Row)).Add("response", Json.FromText(Envelope)).Add("value", Json.FromText("[1]"));
        var written = StateJson.Write(InstanceState.Initial with { Names = names }).ToString();
        var before = written[..(written.IndexOf(",\"names_plain\"", StringComparison.Ordinal))] + "}";
        var read = StateJson.Read(Json.FromText(before));
        Assert.Equal(ResultKind.Rows, read.Names["rows"].Kind);
        Assert.Equal(ResultKind.Response, read.Names["response"].Kind);
        Assert.Equal(ResultKind.Value, read.Names["value"].Kind);
        Assert.All(StateJson.Read(Json.FromText(written)).Names.Values, value => Assert.Equal(ResultKind.Value, value.Kind));
    }

    [Fact]
    public void What_items_share_keeps_what_a_value_is()
    {
        var workflow = Tests.Workflows.ReaderTests.Read("""{"do":[{"forEach":[1],"spread":true,"do":[{"set":{"a":1}}]}]}""");
        var facts = new InstanceFacts(Guid.NewGuid(), null, null, Json.FromText("1"), Json.FromText("{}"));
        var names = ImmutableDictionary<string, Json>.Empty.Add("plain", Json.FromText(Row)).Add("made", Json.FromText(Row).As(ResultKind.Rows));
        var item = ItemScope.Read(Json.FromText(ItemScope.Write(facts, names).ToString())).Apply(facts, (ForEachNode)workflow.NodeAt("/do/0"));
        Assert.Equal((ResultKind.Value, ResultKind.Rows), (item.Names["plain"].Kind, item.Names["made"].Kind));
    }

    private static string Filled(string nodes, string it) => nodes.Replace("<it>", it, StringComparison.Ordinal);
}
