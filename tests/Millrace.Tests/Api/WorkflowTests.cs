using System.Net;
using System.Text.Json;
using Millrace.Tests.Support;

namespace Millrace.Tests.Api;

public sealed class WorkflowTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly TestServer server = fixture.Server;

    [Fact]
    public async Task The_same_content_again_is_the_same_version()
    {
        var first = await server.PutAsync("workflows/versioned", """{"do":[{"return":1}]}""");
        var same = await server.PutAsync("workflows/versioned", """{ "do": [ { "return": 1 } ] }""");
        var second = await server.PutAsync("workflows/versioned", """{"do":[{"return":2}]}""");
        var back = await server.PutAsync("workflows/versioned", """{"do":[{"return":1}]}""");

        Assert.Equal([HttpStatusCode.Created, HttpStatusCode.OK, HttpStatusCode.Created, HttpStatusCode.Created], new[] { first.Status, same.Status, second.Status, back.Status });
        Assert.Equal([1, 1, 2, 3], new[] { first, same, second, back }.Select(answer => answer.Json.GetProperty("version").GetInt32()));
        Assert.Equal(first.Json.GetProperty("hash").GetString(), back.Json.GetProperty("hash").GetString());

        var versions = (await server.GetAsync("workflows/versioned/versions?limit=2")).Json;
        Assert.Equal([3, 2], versions.GetProperty("data").EnumerateArray().Select(version => version.GetProperty("version").GetInt32()));
        var rest = (await server.GetAsync($"workflows/versioned/versions?cursor={versions.GetProperty("next_cursor").GetString()}")).Json;
        Assert.Equal(1, Assert.Single(rest.GetProperty("data").EnumerateArray()).GetProperty("version").GetInt32());
        Assert.Equal("""{"do":[{"return":2}]}""", (await server.GetAsync("workflows/versioned?version=2")).Json.GetProperty("definition").GetRawText());
        Assert.Equal(3, (await server.GetAsync("workflows/versioned")).Json.GetProperty("version").GetInt32());
    }

    [Fact]
    public async Task Puts_at_the_same_time_make_one_version_each()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => server.PutAsync("workflows/contended", $$"""{"do":[{"return":{{i}} }]}""")));
        Assert.Equal(Enumerable.Range(1, 10), answers.Select(answer => answer.Json.GetProperty("version").GetInt32()).Order());
    }

    [Fact]
    public async Task A_start_by_name_takes_the_newest_version_or_the_one_it_asks_for()
    {
        await server.PutAsync("workflows/named", """{"name":"named","do":[{"return":"old {{ input.x }}"}]}""");
        await server.PutAsync("workflows/named", """{"name":"named","do":[{"return":"new {{ input.x }}"}]}""");

        var newest = await server.PostAsync("instances", """{"workflow":"named","input":{"x":1}}""", ("Prefer", "wait=20"));
        var old = await server.PostAsync("instances", """{"workflow":"named","version":1,"input":{"x":2}}""", ("Prefer", "wait=20"));
        Assert.Equal(("new 1", "named", 2), (newest.Json.GetProperty("result").GetString(), newest.Json.GetProperty("workflow").GetString(), newest.Json.GetProperty("version").GetInt32()));
        Assert.Equal(("old 2", 1), (old.Json.GetProperty("result").GetString(), old.Json.GetProperty("version").GetInt32()));

        var missing = await server.PostAsync("instances", """{"workflow":"named","version":9}""");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, missing.Status);
        Assert.Equal("/workflow", missing.Json.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task Workflows_are_listed_by_name_and_the_names_must_agree()
    {
        foreach (var name in new[] { "list-c", "list-a", "list-b" })
            await server.PutAsync($"workflows/{name}", """{"do":[{"return":1}]}""");
        var page = (await server.GetAsync("workflows?limit=1000")).Json;
        var names = page.GetProperty("data").EnumerateArray().Select(workflow => workflow.GetProperty("name").GetString()!).ToList();
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
        Assert.Superset(new HashSet<string> { "list-a", "list-b", "list-c" }, names.ToHashSet());

        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.PutAsync("workflows/here", """{"name":"there","do":[{"return":1}]}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await server.PutAsync("workflows/no%20name", """{"do":[{"return":1}]}""")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync("workflows/nowhere")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync("workflows/nowhere/versions")).Status);
    }

    [Fact]
    public async Task Validate_answers_200_or_everything_that_is_wrong()
    {
        var right = await server.PostAsync("workflows/validate", """{"name":"n","do":[{"return":1}]}""");
        Assert.Equal((HttpStatusCode.OK, true), (right.Status, right.Json.GetProperty("valid").GetBoolean()));
        var wrong = await server.PostAsync("workflows/validate", """{"do":[{"return":1,"as":"input"},{"nothing":1}]}""");
        Assert.Equal((HttpStatusCode.UnprocessableEntity, 2), (wrong.Status, wrong.Json.GetProperty("errors").GetArrayLength()));
    }

    [Fact]
    public async Task Variables_are_copied_at_the_start_and_can_be_overridden()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync("vars/region")).Status);
        Assert.Equal(HttpStatusCode.Created, (await server.PutAsync("vars/region", """{"value":{"name":"north"}}""")).Status);
        var sleeper = await server.StartInstanceAsync("""{"do":[{"sleep":"600ms"},{"return":"{{ vars.region.name }}"}]}""");
        Assert.Equal(HttpStatusCode.OK, (await server.PutAsync("vars/region", """{"value":{"name":"south"}}""")).Status);

        Assert.Equal("""{"value":{"name":"south"}}""", (await server.GetAsync("vars/region")).Text);
        Assert.Equal("north", (await server.InstanceAsync(sleeper, "30s")).GetProperty("result").GetString());
        Assert.Equal("south", (await server.RunNodesAsync("""{"return":"{{ vars.region.name }}"}""")).GetProperty("result").GetString());
        var overridden = await server.PostAsync(
            "instances", """{"definition":{"do":[{"return":"{{ vars.region }} {{ vars.extra }}"}]},"vars":{"region":"west","extra":1}}""", ("Prefer", "wait=20"));
        Assert.Equal("west 1", overridden.Json.GetProperty("result").GetString());

        Assert.Equal(HttpStatusCode.NoContent, (await server.SendAsync(HttpMethod.Delete, "vars/region", null)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await server.SendAsync(HttpMethod.Delete, "vars/region", null)).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await server.PutAsync("vars/region", """{"valeu":1}""")).Status);
    }

    [Fact]
    public async Task The_description_names_every_call_with_its_codes()
    {
        var document = (await server.GetAsync("openapi.json")).Json;
        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var operations = document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => (Name: $"{operation.Name.ToUpperInvariant()} {path.Name["/api/v1".Length..]}", operation.Value)))
            .ToDictionary(operation => operation.Name, operation => operation.Value);
        Assert.Equal(
            [
                "DELETE /instances/{id}", "DELETE /vars/{name}", "GET /health", "GET /health/ready", "GET /instances", "GET /instances/{id}", "GET /instances/{id}/explain",
                "GET /instances/{id}/nodes", "GET /metrics", "GET /schemas/workflow.json", "GET /vars/{name}", "GET /workflows", "GET /workflows/{name}",
                "GET /workflows/{name}/versions", "POST /admin/pump", "POST /instances", "POST /instances/batch", "POST /instances/{id}/cancel", "POST /instances/{id}/resume",
                "POST /instances/{id}/retry", "POST /instances/{id}/signals/{name}", "POST /instances/{id}/suspend", "POST /workflows/explain",
                "POST /workflows/validate", "PUT /vars/{name}", "PUT /workflows/{name}",
            ],
            operations.Keys.Order(StringComparer.Ordinal));
        Assert.Superset(
            new HashSet<string> { "200", "202", "400", "401", "413", "415", "422", "503" },
            operations["POST /instances"].GetProperty("responses").EnumerateObject().Select(response => response.Name).ToHashSet());
        Assert.Contains("Idempotency-Key", operations["POST /instances"].GetProperty("parameters").GetRawText(), StringComparison.Ordinal);
        Assert.Contains("run_at", document.GetProperty("components").GetRawText(), StringComparison.Ordinal);
        Assert.Contains("\"id\"", operations["GET /instances/{id}"].GetProperty("parameters").GetRawText(), StringComparison.Ordinal);
    }

    /// <summary>What the description says a start can contain, the reader takes.</summary>
    [Fact]
    public async Task The_described_body_of_a_start_is_the_one_that_is_read()
    {
        var document = (await server.GetAsync("openapi.json")).Json;
        var described = document.GetProperty("components").GetProperty("schemas").GetProperty("StartRequestBody").GetProperty("properties")
            .EnumerateObject().Select(member => member.Name).ToList();
        var answer = await server.PostAsync("instances", $"{{{string.Join(',', described.Select(name => $"\"{name}\":[]"))},\"unknown\":1}}");
        var complaints = answer.Json.GetProperty("errors").EnumerateArray().Where(error => error.GetProperty("detail").GetString()!.StartsWith("Unknown key", StringComparison.Ordinal));
        Assert.Equal("/unknown", Assert.Single(complaints).GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task The_schema_is_served()
    {
        var schema = await server.GetAsync("schemas/workflow.json");
        Assert.Equal("application/schema+json", schema.ContentType);
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", schema.Json.GetProperty("$schema").GetString());
    }

    [Fact]
    public async Task A_ready_server_says_so()
    {
        var ready = await server.GetAsync("health/ready");
        Assert.Equal((HttpStatusCode.OK, JsonValueKind.Array), (ready.Status, ready.Json.GetProperty("reasons").ValueKind));
    }
}
