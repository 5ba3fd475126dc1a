using System.Net;
using Millrace.Server.LocalPostgres;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>The database goes away and comes back: on a cluster of its own, since others use the shared one.</summary>
public sealed class OutageTests
{
    [Fact]
    public async Task A_database_that_is_down_is_503_and_everything_goes_on_when_it_is_back()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"millrace-outage-{Guid.NewGuid():N}");
        var programs = PostgresPrograms.Find(null)!;
        var cluster = await Cluster.StartAsync(programs, folder, ["fsync=off"], CancellationToken.None);
        try
        {
            await using var server = await TestServer.StartAsync(cluster.ConnectionString, ("Store:FaultTimeout", "00:00:00.100"));
            var sleeping = await server.StartInstanceAsync("""{"do":[{"sleep":"1500ms"},{"sql":"select 'awake' as s"}]}""");
            await TestServer.EventuallyAsync(
                async () => (await server.InstanceAsync(sleeping)).GetProperty("status").GetString() == "waiting", "it parks");

            await cluster.StopAsync(CancellationToken.None);
            foreach (var path in new[] { "instances", $"instances/{sleeping}", "workflows", "vars/a" })
            {
                var answer = await server.GetAsync(path);
                Assert.Equal((HttpStatusCode.ServiceUnavailable, "application/problem+json"), (answer.Status, answer.ContentType));
                Assert.NotNull(answer.Headers.RetryAfter);
                Assert.DoesNotContain("127.0.0.1", answer.Text, StringComparison.Ordinal);
            }

            var start = await server.PostAsync("instances", """{"definition":{"do":[{"sql":"select 1"}]}}""", ("Prefer", "wait=5"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, start.Status);
            using var stranger = server.ClientWith("mr_a_key_that_nobody_has_asked_about_yet");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await stranger.GetAsync("instances")).StatusCode);
            var ready = await server.GetAsync("health/ready");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.Status);
            Assert.StartsWith("database", ready.Json.GetProperty("reasons")[0].GetString(), StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("health")).Status);

            await Cluster.StartAsync(programs, folder, ["fsync=off"], CancellationToken.None);
            await TestServer.EventuallyAsync(async () => (await server.GetAsync("health/ready")).Status is HttpStatusCode.OK, "it is ready again");
            Assert.Equal("completed", (await server.InstanceAsync(sleeping, "30s")).GetProperty("status").GetString());
            Assert.Equal("completed", (await server.RunNodesAsync("""{"sql":"select 1"}""")).GetProperty("status").GetString());
        }
        finally
        {
            await cluster.StopAsync(CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }
    }
}
