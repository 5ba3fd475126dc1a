using Millrace.Chaos;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

/// <summary>What a template brings into a header or an address, and what that says of the host.</summary>
public sealed class HttpHeaderTests : IAsyncLifetime
{
    private string connection = "";
    private TestServer server = null!;

    public async Task InitializeAsync()
    {
        connection = await TestCluster.CreateDatabaseAsync();
        server = await TestServer.StartAsync(connection, ("Http:BreakerFailures", "2"), ("Http:BreakerPause", "00:10:00"));
    }

    public async Task DisposeAsync()
    {
        await server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task A_header_that_cannot_be_sent_is_the_nodes_own_fault_and_says_nothing_about_the_host()
    {
        await using var receiver = await Receiver.StartAsync((_, _) => Task.CompletedTask);
        for (var i = 0; i < 3; i++)
        {
            var error = (await server.RunNodesAsync($$$"""{"http":{"url":"{{{receiver.Address}}}","headers":{"X-Customer":"{{ input }}"} } }""", "\"M\u00fcller\"")).GetProperty("error");
            Assert.Equal(("template", 1), (error.GetProperty("code").GetString(), error.GetProperty("attempt").GetInt32()));
        }

        Assert.Equal("completed", (await server.RunNodesAsync($$"""{"http":"{{receiver.Address}}"}""")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_users_name_in_an_address_is_no_part_of_its_origin()
    {
        await using var receiver = await Receiver.StartAsync((context, number) =>
        {
            if (number == 1)
                (context.Response.StatusCode, context.Response.Headers.Location) = (307, $"http://{context.Request.Host}/there");
            return Task.CompletedTask;
        });
        var address = receiver.Address.Replace("//", "//user:word@", StringComparison.Ordinal);
        Assert.Equal("completed", (await server.RunNodesAsync($$"""{"http":{"url":"{{address}}","body":{"a":1} } }""")).GetProperty("status").GetString());
        Assert.Equal("""{"a":1}""", receiver.Requests.Last().Body);
    }
}
