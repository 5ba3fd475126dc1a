using System.Text.Json;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Tests.Support;
using Millrace.Workflows;

namespace Millrace.Tests.Execution;

public sealed class UrlTests
{
    [Theory]
    [InlineData("{{ input.u }}", "https://a.example/x?y=z w", "https://a.example/x?y=z w")]
    [InlineData("{{ input.u }}/b", "https://a.example/x", "https://a.example/x/b")]
    [InlineData("https://a.example/{{ input.u }}/b", "x y/../z?q#f", "https://a.example/x%20y%2F..%2Fz%3Fq%23f/b")]
    [InlineData("https://a.example/?q={{ input.u }}&r=1", "1&admin=true", "https://a.example/?q=1%26admin%3Dtrue&r=1")]
    [InlineData("https://a.example/?q={{ input.u }}", "..", "https://a.example/?q=..")]
    [InlineData("https://a.example/{{ input.u }}", "50%é~_-.", "https://a.example/50%25%C3%A9~_-.")]
    [InlineData("https://a.example/{{ input.u | raw }}", "x/y?z=1&w=2", "https://a.example/x/y?z=1&w=2")]
    [InlineData("https://a.example{{ input.u | raw }}", "/x?y", "https://a.example/x?y")]
    [InlineData("https://a.example{{ input.u? |raw }}", "", "https://a.example")]
    [InlineData("https://{{ input.u }}/x", "a.example", "https://a.example/x")]
    [InlineData("https://{{ input.u }}.example/x", "a.b", "https://a.b.example/x")]
    [InlineData("https://node-{{ input.u }}:81/x", "7", "https://node-7:81/x")]
    [InlineData("https://a.example:{{ input.u }}/x", "8443", "https://a.example:8443/x")]
    [InlineData("{{ input.u }}://a.example/", "http", "http://a.example/")]
    [InlineData("https://a.example/\\{{ input.u }}", "@b.example", "https://a.example/\\%40b.example")]
    public void A_template_stays_in_its_part_of_the_address(string url, string value, string expected)
    {
        var run = Run(url, value);
        Assert.Equal(expected, ((ExecuteHttp)Assert.Single(run.Given)).Url);
    }

    [Theory]
    [InlineData("https://{{ input.u }}/x", "a.example/y?")]
    [InlineData("https://{{ input.u }}/x", "a.example@b.example")]
    [InlineData("https://{{ input.u }}/x", "b.example#")]
    [InlineData("https://{{ input.u }}/x", "b.example:81")]
    [InlineData("https://{{ input.u }}/x", "b example")]
    [InlineData("https://{{ input.u }}/x", "b\\\\.example")]
    [InlineData("https://{{ input.u }}.a.example/x", "b.example/")]
    [InlineData("https://{{ input.u }}.a.example/x", "b.example／")]
    [InlineData("https://{{ input.u | raw }}.a.example/x", "b.example/")]
    [InlineData("https://a.example{{ input.u }}", ".b.example")]
    [InlineData("https://a.example{{ input.u }}/x", "@b.example")]
    [InlineData("https://a.example{{ input.u | raw }}", ".b.example/")]
    [InlineData("https://a.example{{ input.u | raw }}", "@b.example/")]
    [InlineData("https://a.example{{ input.u | raw }}", ":81/")]
    [InlineData("https://a.example:{{ input.u }}/x", "80@b.example")]
    [InlineData("{{ input.u }}://a.example/x", "https://b.example/?")]
    [InlineData("https://a.example/x/{{ input.u }}/y", "..")]
    [InlineData("https://a.example/x/{{ input.u }}", ".")]
    public void A_template_cannot_lead_to_another_host_or_path(string url, string value)
    {
        var run = Run(url, value);
        Assert.Empty(run.Given);
        Assert.Equal("template", run.Outcome!.Error!.Code);
    }

    [Fact]
    public void An_address_that_is_none_is_not_repeated_in_the_message()
    {
        var run = Run("{{ input.u }}", "ftp://user:secret@a.example");
        Assert.DoesNotContain("secret", run.Outcome!.Error!.Message, StringComparison.Ordinal);
        Assert.Contains("{{ input.u }}", run.Outcome.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"http":{"url":"http://a.example","body":"{{ input.u | raw }}"}}""", "/do/0/http/body")]
    [InlineData("""{"sql":"select {{ input.u | raw }}"}""", "/do/0/sql")]
    [InlineData("""{"http":"http://a.example/{{ input.u | upper }}"}""", "/do/0/http")]
    public void Only_an_address_has_raw_templates(string node, string pointer)
    {
        WorkflowReader.TryRead(JsonElement.Parse($$"""{"do":[{{node}}]}"""), new LimitOptions(), out _, out var faults);
        Assert.Equal(pointer, Assert.Single(faults).Pointer);
    }

    private static VirtualRun Run(string url, string value) =>
        VirtualRun.Of($$"""{"http":{{JsonSerializer.Serialize(url)}} }""", _ => NodeEvent.Of("{}"), $$"""{"u":{{JsonSerializer.Serialize(value)}} }""").ToEnd();
}
