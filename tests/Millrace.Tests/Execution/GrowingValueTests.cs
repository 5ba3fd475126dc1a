using Millrace.Execution;
using Millrace.Tests.Support;

namespace Millrace.Tests.Execution;

/// <summary>Values that a workflow puts together, and that grow beyond what may be kept.</summary>
public sealed class GrowingValueTests
{
    private static readonly string Input = $"\"{new string('x', 600)}\"";

    [Fact]
    public void A_value_that_is_refused_as_too_large_is_not_kept_under_its_name()
    {
        var run = Of("""{"try":[{"set":{"y":["{{ input }}","{{ input }}"]}}],"catch":[{"return":["{{ error.code }}","{{ y? }}"]}]}""");
        Assert.Equal("""["result_too_large",null]""", run.Outcome!.Result!.ToString());
    }

    [Theory]
    [InlineData("""{"http":{"url":"http://example.com/","body":"<many>"}}""")]
    [InlineData("""{"http":{"url":"http://example.com/","body":[["<many>"]]}}""")]
    [InlineData("""{"set":{"a":"<half>","b":"<half>","c":"<half>"}}""")]
    [InlineData("""{"return":["<many>"]}""")]
    public void What_is_put_together_is_given_up_while_it_grows(string node)
    {
        string Times(int count) => string.Concat(Enumerable.Repeat("{{ input }}", count));
        var run = Of(node.Replace("<many>", Times(40), StringComparison.Ordinal).Replace("<half>", Times(12), StringComparison.Ordinal));
        Assert.Equal(("result_too_large", "/do/0"), (run.Outcome!.Error!.Code, run.Outcome.Error.Path));
        Assert.Contains("puts together", run.Outcome.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_is_cut_where_nobody_would_read_on()
    {
        var run = Of($$"""{"fail":"{{string.Concat(Enumerable.Repeat("{{ input }}", 40))}}"}""", resultBytes: 100_000);
        Assert.Equal((16 << 10) + 1, run.Outcome!.Error!.Message.Length);
    }

    [Theory]
    [InlineData(16 << 10)]
    [InlineData((16 << 10) + 1)]
    [InlineData((16 << 10) + 5)]
    public void Words_that_are_cut_stay_text_and_are_cut_once(int length)
    {
        foreach (var text in new[] { new string('x', length), new string('x', length % 2) + string.Concat(Enumerable.Repeat("\ud83d\ude00", length / 2)) })
        {
            var failure = new NodeFailure(text, text);
            Assert.InRange(failure.Message.Length, 1, (16 << 10) + 1);
            Assert.InRange(failure.Code!.Length, 1, 201);
            Assert.DoesNotContain('\ufffd', System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(failure.Message + failure.Code)));
            Assert.Equal(failure, new NodeFailure(failure.Message, failure.Code));
        }
    }

    private static VirtualRun Of(string node, int resultBytes = 1000)
    {
        var run = new VirtualRun(Workflows.ReaderTests.Read("{\"do\":[" + node + "]}"), _ => NodeEvent.Rows(), Input, resultBytes);
        run.Start();
        return run;
    }
}
