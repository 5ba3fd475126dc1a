using System.Text.Json;
using Millrace.Configuration;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Workflows;

public sealed class ReaderTests
{
    [Theory]
    [InlineData("select {{ a.b }}, {{ input.x[0] }}", "select  $1 ,  $2 ")]
    [InlineData("select 'it''s', \"col\", E'a\\'b', $$ ' $$, $t$ $$ $t$ /* ' /* nested */ */ -- '\n, {{ a }}",
        "select 'it''s', \"col\", E'a\\'b', $$ ' $$, $t$ $$ $t$ /* ' /* nested */ */ -- '\n,  $1 ")]
    [InlineData("select a$1, tab$x from t limit{{ n }}", "select a$1, tab$x from t limit $1 ")]
    [InlineData("select 1 -- {{ ", "select 1 -- {{ ")]
    [InlineData("select '{{1,2},{3,4}}'::int[], '{{}}', '{{', $$ {{ $$, \"{{\" /* {{ no path }} */", "select '{{1,2},{3,4}}'::int[], '{{}}', '{{', $$ {{ $$, \"{{\" /* {{ no path }} */")]
    [InlineData("select '{{ \"{{\" }} a }}', $${{ '{{' }}$$ || {{ a }}", "select '{{ a }}', $${{$$ ||  $1 ")]
    [InlineData("select {{ '{{' }}", "select {{")]
    [InlineData("select '{{{ a }}'", null)]
    [InlineData("select '{{ b }} {{ \"{{\" }}'", null)]
    [InlineData("select '{{ a }}'", null)]
    [InlineData("select E'\\'{{ a }}'", null)]
    [InlineData("select \"{{ a }}\"", null)]
    [InlineData("select $$ {{ a }} $$", null)]
    [InlineData("select /* {{ a }} */ 1", null)]
    [InlineData("select $1", null)]
    [InlineData("select {{ a", null)]
    [InlineData("select {{ a..b }}", null)]
    [InlineData("select {{ }}", null)]
    [InlineData("select {{ a[99999999999] }}", null)]
    [InlineData("  ", null)]
    public void Templates_of_a_statement_become_parameters(string sql, string? text)
    {
        var faults = new FaultList();
        var template = SqlTemplateParser.Parse(sql, "/sql", faults);
        Assert.Equal(text, template?.Text);
        Assert.Equal(text is null, faults.Any);
    }

    [Theory]
    [InlineData("""{{ '{{' }} order.id }}""", "\"{{ order.id }}\"")]
    [InlineData("""{{"{{"}}""", "\"{{\"")]
    [InlineData("""a {{ '{{' }}{{ input }}{{ "{{" }} b""", "\"a {{7{{ b\"")]
    public void Braces_that_are_meant_as_text_can_be_written(string text, string value)
    {
        var run = Support.VirtualRun.Of($$"""{"return":{{JsonSerializer.Serialize(text)}}}""", input: "7");
        Assert.Equal(value, run.Outcome!.Result!.ToString());
        run = Support.VirtualRun.Of($$$"""{"return":{"a":[{{{JsonSerializer.Serialize(text)}}}]}}""", input: "7");
        Assert.Equal($$"""{"a":[{{value}}]}""", run.Outcome!.Result!.ToString());
    }

    [Theory]
    [InlineData("250ms", 0.25)]
    [InlineData("30s", 30.0)]
    [InlineData("1.5m", 90.0)]
    [InlineData("2h", 7200.0)]
    [InlineData("1d", 86400.0)]
    [InlineData("PT1H30M", 5400.0)]
    [InlineData("P1DT0.5S", 86400.5)]
    [InlineData("0s", 0.0)]
    [InlineData("P1M", null)]
    [InlineData("P1Y", null)]
    [InlineData("P", null)]
    [InlineData("PT", null)]
    [InlineData("-1s", null)]
    [InlineData("1 s", null)]
    [InlineData("٣s", null)]
    [InlineData("36501d", null)]
    [InlineData("999999999999999d", null)]
    [InlineData("P99999999999999999999D", null)]
    [InlineData("", null)]
    public void Durations_are_short_or_iso(string text, double? seconds)
    {
        Assert.Equal(seconds is not null, Duration.TryParse(text, out var duration));
        if (seconds is { } expected)
            Assert.Equal(TimeSpan.FromSeconds(expected), duration);
    }

    [Fact]
    public void Durations_are_whole_microseconds()
    {
        Assert.True(Duration.TryParse("766.353ms", out var duration));
        Assert.Equal(TimeSpan.FromMicroseconds(766_353), duration);
        Assert.True(Duration.TryParse("0.0015ms", out duration));
        Assert.Equal(TimeSpan.FromMicroseconds(1), duration);
    }

    [Fact]
    public void The_hash_ignores_white_space_and_nothing_else()
    {
        static string HashOf(string definition) => Convert.ToHexString(Read(definition).Hash);
        Assert.Equal(HashOf("""{"do":[{"set":{"a":1}}]}"""), HashOf("""{ "do" : [ { "set" : { "a" : 1 } } ] }"""));
        Assert.NotEqual(HashOf("""{"do":[{"set":{"a":1}}]}"""), HashOf("""{"do":[{"set":{"a":2}}]}"""));
    }

    [Fact]
    public void Values_are_those_of_the_stored_definition()
    {
        var node = Assert.IsType<ReturnNode>(Read("""{ "do" : [ { "return" : { "a" : 1 } } ] }""").Do[0]);
        Assert.Equal("""{"a":1}""", Assert.IsType<LiteralValue>(node.Value).Value.ToString());
    }

    [Fact]
    public void A_statement_keeps_the_shorter_of_its_two_time_outs()
    {
        var nodes = Read("""{"do":[{"sql":{"query":"select 1","timeout":"1s"},"timeout":"5s"},{"sql":{"query":"select 1","timeout":"9s"},"timeout":"5s"},{"sql":{"query":"select 1","timeout":"9s"}}]}""").Do;
        Assert.Equal([1, 5, 9], nodes.Select(node => node.Timeout!.Value.TotalSeconds));
    }

    [Fact]
    public void Two_nodes_cannot_have_one_id()
    {
        Assert.False(WorkflowReader.TryRead(
            JsonElement.Parse("""{"do":[{"set":{},"id":"a"},{"set":{},"id":"a"}]}"""), new LimitOptions(), out _, out var faults));
        Assert.Equal("/do/1/id", Assert.Single(faults).Pointer);
    }

    [Theory]
    [InlineData(1, 0, 1.0)]
    [InlineData(2, 0, 3.0)]
    [InlineData(3, 0, 5.0)]
    [InlineData(1, 1, 0.5)]
    [InlineData(2, 0.5, 2.25)]
    public void Pauses_between_attempts_grow_up_to_a_bound(int attempt, double share, double seconds)
    {
        var retry = new Retry(5, TimeSpan.FromSeconds(1), 3, TimeSpan.FromSeconds(5), Jitter: true);
        Assert.Equal(seconds, retry.PauseAfter(attempt, share).TotalSeconds);
        Assert.Equal(Math.Min(Math.Pow(3, attempt - 1), 5), (retry with { Jitter = false }).PauseAfter(attempt, share).TotalSeconds);
    }

    internal static Workflow Read(string definition)
    {
        Assert.True(WorkflowReader.TryRead(JsonElement.Parse(definition), new LimitOptions(), out var workflow, out var faults), string.Join(", ", faults));
        return workflow!;
    }
}
