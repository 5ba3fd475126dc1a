using Millrace.Configuration;
using Millrace.Server.LocalPostgres;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Server;

/// <summary>The local PostgreSQL: made, found again, put right after a death, stopped.</summary>
public sealed class ClusterTests : IAsyncLifetime
{
    private static readonly string[] Fast = ["fsync=off"];
    private readonly string folder = Path.Combine(Path.GetTempPath(), $"millrace-cluster-{Guid.NewGuid():N}");
    private readonly PostgresPrograms programs = PostgresPrograms.Find(null)!;
    private readonly List<Cluster> clusters = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        foreach (var cluster in clusters)
            await cluster.StopAsync(CancellationToken.None);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_cluster_is_made_once_stopped_and_used_again()
    {
        var first = await StartAsync();
        await TestCluster.ExecuteAsync(Unpooled(first), "create table kept (a int); insert into kept values (1)");
        var port = new NpgsqlConnectionStringBuilder(first.ConnectionString).Port;
        await first.DisposeAsync();
        Assert.False(File.Exists(Path.Combine(folder, "cluster", "postmaster.pid")));

        var second = await StartAsync();
        Assert.Equal(1L, await TestCluster.ScalarAsync<long>(Unpooled(second), "select count(*) from kept"));
        Assert.Equal(port, new NpgsqlConnectionStringBuilder(second.ConnectionString).Port);
        await second.DisposeAsync();
    }

    [Fact]
    public async Task A_cluster_that_outlived_its_process_is_taken_over()
    {
        var first = await StartAsync();
        var started = await TestCluster.ScalarAsync<DateTime>(Unpooled(first), "select pg_postmaster_start_time()");
        var second = await StartAsync();
        Assert.Equal(first.ConnectionString, second.ConnectionString);
        Assert.Equal(started, await TestCluster.ScalarAsync<DateTime>(Unpooled(second), "select pg_postmaster_start_time()"));

        // Whoever comes second keeps it alive when the first one goes.
        await first.DisposeAsync();
        Assert.Equal(started, await TestCluster.ScalarAsync<DateTime>(Unpooled(second), "select pg_postmaster_start_time()"));
    }

    [Fact]
    public async Task A_cluster_that_others_use_is_left_running()
    {
        var cluster = await StartAsync();
        await using var other = new NpgsqlConnection(Unpooled(cluster));
        await other.OpenAsync();
        await cluster.DisposeAsync();
        await using (var command = new NpgsqlCommand("select 1", other))
            Assert.Equal(1, await command.ExecuteScalarAsync());
        await other.CloseAsync();

        // The server takes a moment to notice that a client has gone.
        await TestServer.EventuallyAsync(async () =>
        {
            await cluster.DisposeAsync();
            return !File.Exists(Path.Combine(folder, "cluster", "postmaster.pid"));
        }, "the last one stops it");
    }

    [Fact]
    public async Task A_killed_server_and_its_stale_pid_file_are_put_right()
    {
        var first = await StartAsync();
        await TestCluster.ExecuteAsync(Unpooled(first), "create table kept (a int)");
        var pidFile = Path.Combine(folder, "cluster", "postmaster.pid");
        var pid = int.Parse(File.ReadLines(pidFile).First(), System.Globalization.CultureInfo.InvariantCulture);
        using (var postmaster = System.Diagnostics.Process.GetProcessById(pid))
        {
            postmaster.Kill(entireProcessTree: true);
            await TestServer.EventuallyAsync(() => Task.FromResult(!Directory.Exists($"/proc/{pid}") || postmaster.HasExited), "it dies");
        }

        // As if the machine had restarted and the number now belonged to another program: this test itself.
        var lines = await File.ReadAllLinesAsync(pidFile);
        await File.WriteAllLinesAsync(pidFile, [$"{Environment.ProcessId}", .. lines[1..]]);

        var second = await StartAsync();
        Assert.Equal(0L, await TestCluster.ScalarAsync<long>(Unpooled(second), "select count(*) from kept"));
        await second.DisposeAsync();
    }

    [Fact]
    public async Task Two_processes_that_start_together_share_one_cluster()
    {
        var both = await Task.WhenAll(StartAsync(), StartAsync());
        Assert.Equal(both[0].ConnectionString, both[1].ConnectionString);
        await both[0].DisposeAsync();
    }

    [Fact]
    public async Task A_cluster_whose_making_was_cut_short_is_made_anew()
    {
        Directory.CreateDirectory(Path.Combine(folder, "cluster.new", "base"));
        await File.WriteAllTextAsync(Path.Combine(folder, "cluster.new", "PG_VERSION"), "15");
        foreach (var made in new[] { "cluster.new", "cluster.new/base", "cluster.new/PG_VERSION" })
            SystemUser.ForPostgres()?.Own(Path.Combine(folder, made));
        var cluster = await StartAsync();
        Assert.Equal(1, await TestCluster.ScalarAsync<int>(Unpooled(cluster), "select 1"));
        await cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_folder_that_its_user_cannot_enter_is_named_with_what_helps()
    {
        if (OperatingSystem.IsWindows() || SystemUser.ForPostgres() is null)
            return;
        var closed = Directory.CreateDirectory(Path.Combine(folder, "closed"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        var error = await Assert.ThrowsAsync<LocalPostgresException>(() => Cluster.StartAsync(programs, Path.Combine(closed, "data"), Fast, CancellationToken.None));
        Assert.Contains($"chmod o+x {closed})", error.Message, StringComparison.Ordinal);
        Assert.Contains("Millrace:DataDirectory", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_a_file_is_named_with_what_helps()
    {
        await File.WriteAllTextAsync(folder + ".file", "");
        var error = await Assert.ThrowsAsync<LocalPostgresException>(() => Cluster.StartAsync(programs, folder + ".file", Fast, CancellationToken.None));
        Assert.Contains("Millrace:DataDirectory", error.Message, StringComparison.Ordinal);
        File.Delete(folder + ".file");
        Directory.CreateDirectory(folder);
    }

    [Theory]
    [InlineData("password")]
    [InlineData("port")]
    [InlineData("postgres.log")]
    [InlineData("cluster")]
    public async Task Root_neither_writes_nor_gives_away_what_a_link_leads_to(string name)
    {
        if (SystemUser.ForPostgres() is not { } user)
            return;
        Directory.CreateDirectory(folder);
        var victim = folder + ".victim";
        await File.WriteAllTextAsync(victim, "root's own");
        File.CreateSymbolicLink(Path.Combine(folder, name), victim);
        user.Own(folder);
        try
        {
            var error = await Assert.ThrowsAsync<LocalPostgresException>(StartAsync);
            Assert.Contains($"{name} is a link", error.Message, StringComparison.Ordinal);
            Assert.Equal("root's own", await File.ReadAllTextAsync(victim));
        }
        finally
        {
            File.Delete(victim);
        }
    }

    [Fact]
    public async Task The_user_of_PostgreSQL_cannot_change_what_root_writes_and_an_older_folder_is_taken_back()
    {
        if (SystemUser.ForPostgres() is not { } user)
            return;
        await (await StartAsync()).DisposeAsync();
        user.Own(folder);
        await (await StartAsync()).DisposeAsync();
        foreach (var name in new[] { "password", "port", "lock", "cluster", "postgres.log" })
        {
            var result = await Shell.RunAsync("/bin/mv", [name, "elsewhere"], user, folder, CancellationToken.None);
            Assert.False(result.Succeeded, name);
        }
    }

    [Fact]
    public void A_folder_without_the_programs_is_named()
    {
        Directory.CreateDirectory(folder);
        var error = Assert.Throws<SettingException>(() => PostgresPrograms.Find(folder));
        Assert.Contains("Millrace:LocalPostgres:BinDirectory", error.Message, StringComparison.Ordinal);
    }

    private async Task<Cluster> StartAsync()
    {
        var cluster = await Cluster.StartAsync(programs, folder, Fast, CancellationToken.None);
        lock (clusters)
            clusters.Add(cluster);
        return cluster;
    }

    private static string Unpooled(Cluster cluster) => new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Pooling = false }.ConnectionString;
}
