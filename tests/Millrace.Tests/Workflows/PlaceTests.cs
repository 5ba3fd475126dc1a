using System.Text.Json;
using Millrace.Configuration;
using Millrace.Workflows;

namespace Millrace.Tests.Workflows;

/// <summary>What may stand where, and how many of it.</summary>
public sealed class PlaceTests
{
    [Theory]
    [InlineData("""{"break":1}""", "/do/0/break", "no loop around this")]
    [InlineData("""{"loop":[{"forEach":[1],"spread":true,"do":[{"break":1}]}]}""", "/do/0/loop/0/do/0/break", "cannot leave a \"forEach\" with \"spread\"")]
    [InlineData("""{"forEach":[1],"spread":true,"do":[{"return":1}]}""", "/do/0/do/0/return", "cannot leave a \"forEach\" with \"spread\"")]
    [InlineData("""{"loop":[{"try":[{"set":{}}],"finally":[{"break":1}]}]}""", "/do/0/loop/0/finally/0/break", "cannot leave a \"finally\"")]
    [InlineData("""{"try":[{"set":{}}],"finally":[{"return":1}]}""", "/do/0/finally/0/return", "cannot leave a \"finally\"")]
    [InlineData("""{"sql":"select 1","compensate":[{"if":"{{ a? }}","then":[{"return":1}]}]}""", "/do/0/compensate/0/then/0/return", "cannot leave a \"compensate\"")]
    [InlineData("""{"sql":"select 1","compensate":[{"sql":"select 2","compensate":[{"set":{}}]}]}""", "/do/0/compensate/0/compensate", "no compensation of its own")]
    [InlineData("""{"try":[{"set":{}}]}""", "/do/0", "a \"catch\", a \"finally\" or both")]
    [InlineData("""{"join":[]}""", "/do/0/join", "at least one branch")]
    [InlineData("""{"join":[[]]}""", "/do/0/join/0", "The list is empty")]
    [InlineData("""{"race":{"a":[]}}""", "/do/0/race", "Expected a list of branches")]
    [InlineData("""{"forEach":"list","do":[{"set":{}}]}""", "/do/0/forEach", "Expected a list, or a template")]
    [InlineData("""{"forEach":[1]}""", "/do/0", "\"do\" is missing")]
    [InlineData("""{"forEach":[1],"item":"input","do":[{"set":{}}]}""", "/do/0/item", "is reserved")]
    [InlineData("""{"loop":[{"set":{}}],"max":0}""", "/do/0/max", "whole number from 1")]
    [InlineData("""{"waitForSchedule":"0 0 * * *","timeZone":"Mars/Olympus"}""", "/do/0/timeZone", "Unknown time zone \"Mars/Olympus\"")]
    [InlineData("""{"waitForSchedule":"0 0 * * *","timeZone":"W. Europe Standard Time"}""", "/do/0/timeZone", "expected an IANA name")]
    [InlineData("""{"waitForSchedule":"0 0 30 2 *"}""", "/do/0/waitForSchedule", "no day ever matches")]
    [InlineData("""{"waitForSignal":""}""", "/do/0/waitForSignal", "A signal has a name")]
    [InlineData("""{"run":"no such name!"}""", "/do/0/run", "Expected the name of a workflow")]
    [InlineData("""{"http":{"url":"https://example.com","body":1,"multipart":[{"name":"a","content":"b"}]}}""", "/do/0/http/multipart", "not both")]
    [InlineData("""{"http":{"url":"https://example.com","multipart":[{"name":"a"}]}}""", "/do/0/http/multipart/0", "\"content\" is missing")]
    [InlineData("""{"http":{"url":"https://example.com","multipart":[{"name":"a","content":"b","contentType":"csv"}]}}""", "/do/0/http/multipart/0/contentType", "not a media type")]
    [InlineData("""{"waitForSignl":"x"}""", "/do/0/waitForSignl", "Did you mean \"waitForSignal\"?")]
    [InlineData("""{"sql":"select 1","while":true}""", "/do/0/while", "Unknown key")]
    public void What_cannot_be_is_refused_at_its_place(string node, string pointer, string detail)
    {
        Assert.False(WorkflowReader.TryRead(JsonElement.Parse($$"""{"do":[{{node}}]}"""), new LimitOptions(), out _, out var faults));
        var fault = Assert.Single(faults);
        Assert.Equal(pointer, fault.Pointer);
        Assert.Contains(detail, fault.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"loop":[{"try":[{"set":{}}],"catch":[{"break":1}]}]}""")]
    [InlineData("""{"forEach":[1],"spread":true,"do":[{"loop":[{"break":1}]}]}""")]
    [InlineData("""{"sql":"select 1","compensate":[{"loop":[{"break":1}]}]}""")]
    [InlineData("""{"loop":[{"forEach":[1],"do":[{"break":1}]}]}""")]
    public void What_has_its_loop_may_break(string node) =>
        Assert.True(WorkflowReader.TryRead(JsonElement.Parse($$"""{"do":[{{node}}]}"""), new LimitOptions(), out _, out _));

    [Fact]
    public void There_are_at_most_so_many_branches()
    {
        var branches = string.Join(',', Enumerable.Repeat("""[{"set":{}}]""", 1001));
        Assert.False(WorkflowReader.TryRead(JsonElement.Parse($$"""{"do":[{"join":[{{branches}}]}]}"""), new LimitOptions(), out _, out var faults));
        Assert.Equal("/do/0/join: There are 1,001 branches; at most 1,000 are allowed.", $"{faults[0].Pointer}: {faults[0].Detail}");
    }
}
