using Millrace.Chaos;
using Millrace.Server.LocalPostgres;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Server;

/// <summary>The server as an operator meets it: a process, its output, its exit code.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("millrace-command-").FullName;

    // PostgreSQL runs as another user where the tests run as root, and must be able to pass through.
    public CommandTests() => LetEverybodyThrough(folder);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task The_demo_runs_its_workflow_and_ends_with_0()
    {
        await using var demo = ServerProcess.Start(["demo", "--exit", "--urls", "http://127.0.0.1:0"], ("Millrace__DataDirectory", folder));
        Assert.True(await demo.ExitAsync() == 0, string.Join('\n', demo.Output));
        var output = string.Join('\n', demo.Output);
        foreach (var line in new[] { "✓ completed sql    take-order", "✓ completed http   book-shipment", "✓ completed sleep  handling-time", "– skipped   sql    put-back" })
            Assert.Contains(line, output, StringComparison.Ordinal);
        Assert.Matches("completed after [0-9.]+ s, result: \\{\"order\":1,\"status\":\"shipped\",\"tracking\":\"MR-[0-9A-F]{8}\",\"left_in_stock\":98\\}", output);
        Assert.Contains("curl", output, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(folder, "cluster", "postmaster.pid")));

        // Again on the same data: a second order, and a key that works.
        await using var again = ServerProcess.Start(["demo", "--exit", "--urls", "http://127.0.0.1:0"], ("Millrace__DataDirectory", folder));
        Assert.True(await again.ExitAsync() == 0, string.Join('\n', again.Output));
        Assert.Contains("\"order\":2", string.Join('\n', again.Output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_an_empty_store_a_key_is_made_and_shown_once()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        string key;
        await using (var first = ServerProcess.Start(["--urls", "http://127.0.0.1:0"], ("Millrace__ConnectionString", connection)))
        {
            using var anonymous = await first.ClientAsync("mr_none");
            await TestServer.EventuallyAsync(() => Task.FromResult(first.Output.Any(line => line.Contains("mr_", StringComparison.Ordinal))), "the key is shown");
            key = first.Output.Single(line => line.Contains("mr_", StringComparison.Ordinal)).Split(' ')[^1];
            using var client = await first.ClientAsync(key);
            Assert.True((await client.GetAsync("instances")).IsSuccessStatusCode);
            Assert.Equal(0, await first.TerminateAsync());
        }

        Assert.Equal(
            Convert.ToHexStringLower(KeyStore.HashOf(key)), await TestCluster.ScalarAsync<string>(connection, "select encode(hash, 'hex') from millrace.api_key"));
        await using var second = ServerProcess.Start(["--urls", "http://127.0.0.1:0"], ("Millrace__ConnectionString", connection));
        using var again = await second.ClientAsync(key);
        Assert.True((await again.GetAsync("instances")).IsSuccessStatusCode);
        Assert.DoesNotContain(second.Output, line => line.Contains("mr_", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Millrace__Pump__Lease", "soon", "Millrace:Pump:Lease")]
    [InlineData("Millrace__Pump__Lease", "00:00:00", "Lease")]
    [InlineData("Millrace__Store__Buckets", "5000", "Buckets")]
    [InlineData("Millrace__Stroe__Buckets", "5", "Stroe")]
    [InlineData("Millrace__ApiKey", "short", "ApiKey")]
    [InlineData("Millrace__ConnectionString", "Host=localhost;Nonsense=1", "Millrace:ConnectionString")]
    [InlineData("Millrace__Connections__warehouse", "Nonsense=1;Password=secret", "Millrace:Connections:warehouse")]
    public async Task A_wrong_setting_stops_the_server_with_a_line_that_names_it(string name, string value, string named)
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        (string, string)[] environment = name == "Millrace__ConnectionString" ? [(name, value)] : [("Millrace__ConnectionString", connection), (name, value)];
        await using var server = ServerProcess.Start(["--urls", "http://127.0.0.1:0"], environment);
        Assert.Equal(1, await server.ExitAsync());
        var line = Assert.Single(server.Output);
        Assert.Contains(named, line, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_postgres_and_docker_one_line_tells_the_ways_out()
    {
        var docker = Path.Combine(folder, "docker");
        await File.WriteAllTextAsync(docker, "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n");
        LetEverybodyThrough(docker);
        foreach (var found in new[] { null, docker })
        {
            var error = await Assert.ThrowsAsync<LocalPostgresException>(
                () => LocalServers.StartAsync(new() { DataDirectory = Path.Combine(folder, "data") }, programs: null, found, CancellationToken.None));
            foreach (var way in new[] { "apt-get install postgresql", "Docker", "Millrace:ConnectionString" })
                Assert.Contains(way, error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("\n", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_folder_that_lacks_the_programs_is_named()
    {
        await using var server = ServerProcess.Start(["--urls", "http://127.0.0.1:0"], ("Millrace__LocalPostgres__BinDirectory", folder));
        Assert.Equal(1, await server.ExitAsync());
        Assert.Contains("Millrace:LocalPostgres:BinDirectory", server.Output.Last(), StringComparison.Ordinal);
    }

    /// <summary>A stand-in for Docker that notes what it is asked and, as a container would, leads to a real server.</summary>
    [Fact]
    public async Task With_docker_alone_the_official_image_is_run_started_again_and_stopped()
    {
        var cluster = await TestCluster.GetAsync();
        var port = new Npgsql.NpgsqlConnectionStringBuilder(cluster.ConnectionString).Port;
        var docker = Path.Combine(folder, "docker");
        await File.WriteAllTextAsync(docker, $$"""
            #!/bin/sh
            echo "$@" >> {{folder}}/calls
            case "$1" in
              start) test -f {{folder}}/made ;;
              run) touch {{folder}}/made ;;
              port) echo "127.0.0.1:{{port}}" ;;
            esac
            """);
        LetEverybodyThrough(docker);
        var password = new Npgsql.NpgsqlConnectionStringBuilder(cluster.ConnectionString).Password!;
        var data = Directory.CreateDirectory(Path.Combine(folder, "data")).FullName;
        await File.WriteAllTextAsync(Path.Combine(data, "docker-password"), password);

        for (var i = 0; i < 2; i++)
        {
            await using var server = await DockerServer.StartAsync(docker, "postgres:17", data, CancellationToken.None);
            Assert.Equal(1, await TestCluster.ScalarAsync<int>(server!.ConnectionString, "select 1"));
        }

        var calls = await File.ReadAllLinesAsync(Path.Combine(folder, "calls"));
        Assert.Equal(["version", "start", "run", "port", "stop", "version", "start", "port", "stop"], calls.Select(call => call.Split(' ')[0]));
        Assert.Contains("--publish 127.0.0.1::5432", calls[2], StringComparison.Ordinal);
        Assert.EndsWith(" postgres:17", calls[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_explained()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var connection = await TestCluster.CreateDatabaseAsync();
        await using var server = ServerProcess.Start(
            ["--urls", $"http://127.0.0.1:{((System.Net.IPEndPoint)taken.LocalEndpoint).Port}"], ("Millrace__ConnectionString", connection), ("Millrace__ApiKey", KeyStore.NewKey()));
        Assert.Equal(1, await server.ExitAsync());
        Assert.Contains(server.Output, line => line.Contains("--urls", StringComparison.Ordinal));
        // What had been started before was stopped, not left to find out by itself.
        Assert.DoesNotContain(server.Output, line => line.Contains("does not answer", StringComparison.Ordinal));
    }

    // The first process of a container is not ended by a signal that it does not heed itself.
    [Fact]
    public async Task A_server_that_waits_for_its_database_heeds_the_word_to_stop()
    {
        await using var server = ServerProcess.StartOn("Host=127.0.0.1;Port=1;Username=nobody", KeyStore.NewKey());
        await TestServer.EventuallyAsync(() => Task.FromResult(!server.Output.IsEmpty), "it waits");
        Assert.Equal(143, await server.TerminateAsync());
        Assert.StartsWith("Stopped", server.Output.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_tells_the_commands()
    {
        await using var help = ServerProcess.Start(["--help"]);
        Assert.Equal(0, await help.ExitAsync());
        var output = string.Join('\n', help.Output);
        Assert.Contains("demo", output, StringComparison.Ordinal);
        Assert.Contains("--urls", output, StringComparison.Ordinal);
    }

    private static void LetEverybodyThrough(string path)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }
}
