using Millrace.Server.LocalPostgres;

namespace Millrace.Tests.Server;

public sealed class ShellTests
{
    [Fact]
    public async Task Everything_a_program_says_is_there_when_it_has_ended()
    {
        for (var i = 0; i < 100; i++)
        {
            var result = await RunAsync("echo out; echo err >&2; exit 3");
            Assert.Equal(3, result.ExitCode);
            Assert.Equal(["err", "out"], result.Output.Split('\n').Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task A_program_that_leaves_another_one_behind_has_ended_all_the_same()
    {
        var result = await RunAsync("sleep 20 & echo started").WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((0, "started"), (result.ExitCode, result.Output));
    }

    [Fact]
    public async Task A_program_that_lasts_too_long_is_killed()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => Shell.RunAsync("/bin/sh", ["-c", "sleep 600"], null, null, limit.Token).WaitAsync(TimeSpan.FromSeconds(10)));
    }

    private static Task<ShellResult> RunAsync(string script) => Shell.RunAsync("/bin/sh", ["-c", script], null, null, CancellationToken.None);
}
