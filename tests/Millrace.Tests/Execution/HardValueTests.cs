using System.Text.Json;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Tests.Support;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Execution;

/// <summary>Values that cannot be worked with fail the node that tries, at once and where it stands.</summary>
public sealed class HardValueTests
{
    // Such a text does not come in any more, but a program before this one may have kept it.
    private static readonly NodeEvent Half = NodeEvent.Rows("""{"t":"\ud800"}""");

    [Theory]
    [InlineData("""{"return":"text {{ r.t }}"}""", "return")]
    [InlineData("""{"if":{"equals":["{{ r.t }}","x"]},"then":[{"return":1}]}""", "if")]
    [InlineData("""{"http":"http://example.com/{{ r.t }}"}""", "http")]
    [InlineData("""{"sleep":"{{ r.t }}"}""", "sleep")]
    [InlineData("""{"loop":[{"set":{"a":1}}],"while":"{{ r.t }}"}""", "loop")]
    [InlineData("""{"waitForSignal":"{{ r.t }}"}""", "waitForSignal")]
    public void An_error_of_our_own_is_the_end_of_the_node(string node, string kind)
    {
        var run = VirtualRun.Of("""{"sql":"select 1","as":"r"},""" + node, _ => Half).ToEnd();
        Assert.Equal(("/do/1", kind, "internal", 1), (run.Outcome!.Error!.Path, run.Outcome.Error.Kind, run.Outcome.Error.Code, run.Outcome.Error.Attempt));
        Assert.Equal("the node could not go on: its values cannot be worked with (InvalidOperationException)", run.Outcome.Error.Message);
    }

    [Fact]
    public void It_is_caught_undone_and_folded_like_any_other_failure()
    {
        var run = VirtualRun.Of(
            """
            {"sql":"do","as":"r","compensate":[{"sql":"undo"}]},
            {"try":[{"set":{"t":"a {{ r.t }}"}}],"catch":[{"sql":"caught {{ error.code }}"}],"finally":[{"sql":"always"}]},
            {"set":{"t":"b {{ r.t }}"}}
            """,
            _ => Half);
        while (run.Step())
            run.CrashAndRestore([.. run.Unstored]);
        Assert.Equal(["do", "caught  $1 ", "always", "undo"], run.Given.Select(command => ((ExecuteSql)command).Sql.Query.Text));
        Assert.Equal("/do/2", run.Outcome!.Error!.Path);
    }

    [Fact]
    public void A_value_that_nests_itself_grows_until_it_is_too_deep()
    {
        var run = VirtualRun.Of("""{"set":{"n":0}},{"loop":[{"set":{"n":["{{ n }}"]}}],"max":1500}""").ToEnd();
        Assert.Equal(("/do/1/loop/0", "result", "the result nests deeper than 1000 levels"), (run.Outcome!.Error!.Path, run.Outcome.Error.Code, run.Outcome.Error.Message));
        Assert.Equal(Json.MaxDepth - 1, run.History.Count(execution => execution is { Kind: "set", Key.Path: "/do/1/loop/0", Status: NodeStatus.Completed }));
    }

    [Theory]
    [InlineData("""{"forEach":[1],"do":[{"set":{"m":"{{ n }}"}}]}""", "forEach", "result")]
    [InlineData("""{"join":[[{"set":{"m":"{{ n }}"}}]]}""", "join", "result")]
    [InlineData("""{"return":[["{{ n }}"]]}""", "return", "template")]
    [InlineData("""{"run":"child","input":[["{{ n }}"]]}""", "run", "template")]
    [InlineData("""{"call":"handler","with":[["{{ n }}"]]}""", "call", "template")]
    [InlineData("""{"http":{"url":"http://example.com","body":[["{{ n }}"]]} }""", "http", "template")]
    public void Nothing_is_put_together_that_nests_too_deep(string node, string kind, string code)
    {
        var run = VirtualRun.Of("""{"loop":[{"set":{"n":["{{ n? }}"]}}],"max":999},""" + node).ToEnd();
        Assert.Equal((kind, code), (run.Outcome!.Error!.Kind, run.Outcome.Error.Code));
        Assert.Contains("nests deeper than 1000 levels", run.Outcome.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_doubles_itself_grows_until_it_is_too_large()
    {
        var run = new VirtualRun(
            Tests.Workflows.ReaderTests.Read("""{"do":[{"set":{"n":1}},{"loop":[{"set":{"n":["{{ n }}","{{ n }}"]}}]}]}"""), _ => NodeEvent.Rows(), resultBytes: 100_000);
        run.Start();
        Assert.Equal(("/do/1/loop/0", "result_too_large"), (run.ToEnd().Outcome!.Error!.Path, run.Outcome!.Error!.Code));
    }

    [Fact]
    public void The_deepest_value_in_the_deepest_place_of_a_snapshot_is_read_back()
    {
        var nodes = """{"waitForSignal":"go"},{"set":{"last":1}}""";
        for (var level = 0; level < 250; level++)
        {
            var around = (level % 3) switch
            {
                0 => """{"join":[[<nodes>]]}""",
                1 => """{"forEach":["{{ input.d }}"],"do":[{"set":{"own":"{{ item }}"}},<nodes>]}""",
                _ => """{"try":[{"try":[{"fail":"no"}],"finally":[<nodes>]}],"catch":[{"set":{"x":1}}]}""",
            };
            nodes = around.Replace("<nodes>", nodes, StringComparison.Ordinal);
        }

        var deep = $"{new string('[', Json.MaxDepth - 1)}{new string(']', Json.MaxDepth - 1)}";
        var definition = JsonElement.Parse($$"""{"do":[{{nodes}}]}""", new() { MaxDepth = Json.OwnDepth });
        Assert.True(WorkflowReader.TryRead(definition, new LimitOptions { Levels = 1000 }, out var workflow, out var faults), string.Join(", ", faults));
        var run = new VirtualRun(workflow!, _ => NodeEvent.Rows(), $"{{\"d\":{deep}}}");
        run.Start();
        run.Park();
        run.CrashAndRestore([]);
        run.Signal("go");
        Assert.NotNull(run.ToEnd().Outcome);
    }
}
