using System.Net;
using Millrace.Tests.Support;

namespace Millrace.Tests.Api;

/// <summary>Pages of large rows: they have fewer of them, and none is left out.</summary>
public sealed class PageBytesTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    // What a page may take, and one row that began below it.
    private const int Most = (4 << 20) + (1 << 20);
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task A_page_of_large_instances_ends_early_and_the_next_one_goes_on()
    {
        var label = Guid.NewGuid().ToString();
        var ids = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            var items = Enumerable.Repeat($$$"""{"definition":{"do":[{"set":{"a":1}}]},"label":"{{{label}}}","input":"{{{new string('x', 200_000)}}}"}""", 25);
            var answer = await server.PostAsync("instances/batch", $"[{string.Join(',', items)}]");
            Assert.Equal(HttpStatusCode.Accepted, answer.Status);
            ids.AddRange(answer.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!));
        }

        var (seen, pages) = await AllAsync($"instances?label={label}&limit=1000", "id");
        Assert.Equal(ids.Order(StringComparer.Ordinal).Reverse(), seen);
        Assert.Equal(5, pages);
    }

    [Fact]
    public async Task A_page_of_small_rows_is_as_long_as_was_asked_for()
    {
        var label = Guid.NewGuid().ToString();
        var items = Enumerable.Repeat($$$"""{"definition":{"do":[{"set":{"a":1}}]},"label":"{{{label}}}"}""", 500);
        await server.PostAsync("instances/batch", $"[{string.Join(',', items)}]");
        Assert.Equal((500, 2), await CountAsync($"instances?label={label}&limit=499"));
        Assert.Equal((500, 1), await CountAsync($"instances?label={label}&limit=500"));
        Assert.Equal((500, 8), await CountAsync($"instances?label={label}&limit=63"));
        Assert.Equal((500, 8), await CountAsync($"instances?label={label}&limit=64"));
    }

    [Fact]
    public async Task A_row_larger_than_a_page_is_a_page()
    {
        var id = (await server.RunNodesAsync("""{"set":{"a":1}},{"set":{"a":2}},{"set":{"a":3}}""")).GetProperty("id").GetString();
        await TestCluster.ExecuteAsync(
            fixture.ConnectionString, $"update millrace.node_execution set result = to_json(repeat('x', 5000000)) where instance_id = '{id}' and ordinal < 2");
        var sizes = new List<int>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = (await server.GetAsync($"instances/{id}/nodes?cursor={cursor}")).Json;
            sizes.Add(page.GetProperty("data").GetArrayLength());
            cursor = page.GetProperty("next_cursor").GetString();
            Assert.Equal(cursor is not null, page.GetProperty("has_more").GetBoolean());
        }

        Assert.Equal([1, 1, 1], sizes);
    }

    private async Task<(int Count, int Pages)> CountAsync(string path)
    {
        var (seen, pages) = await AllAsync(path, "id");
        return (seen.Distinct().Count(), pages);
    }

    private async Task<(List<string> Seen, int Pages)> AllAsync(string path, string member)
    {
        var (seen, pages) = (new List<string>(), 0);
        for (string? cursor = ""; cursor is not null; pages++)
        {
            var answer = await server.GetAsync($"{path}&cursor={cursor}");
            Assert.InRange(answer.Text.Length, 1, Most);
            seen.AddRange(answer.Json.GetProperty("data").EnumerateArray().Select(item => item.GetProperty(member).GetString()!));
            cursor = answer.Json.GetProperty("next_cursor").GetString();
            Assert.Equal(cursor is not null, answer.Json.GetProperty("has_more").GetBoolean());
        }

        return (seen, pages);
    }
}
