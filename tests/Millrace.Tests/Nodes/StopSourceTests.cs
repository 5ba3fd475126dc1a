using Millrace.Nodes;

namespace Millrace.Tests.Nodes;

/// <summary>What is told to stop may break on being told; whoever stops it goes on.</summary>
public sealed class StopSourceTests
{
    [Fact]
    public async Task What_breaks_on_being_stopped_breaks_nobody_else()
    {
        using var host = new CancellationTokenSource();
        using var stop = new StopSource(TimeProvider.System, host.Token);
        var told = Breaking(stop.Token);
        host.Cancel(throwOnFirstException: true);
        Assert.True(stop.Token.IsCancellationRequested);
        await told;
    }

    [Fact]
    public async Task What_breaks_when_its_time_is_up_does_not_end_the_process()
    {
        using var stop = new StopSource(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        await Breaking(stop.Token);
        Assert.True(stop.Token.IsCancellationRequested);
    }

    [Fact]
    public void What_takes_long_to_stop_keeps_nobody()
    {
        using var mayEnd = new ManualResetEventSlim();
        using var stop = new StopSource(TimeProvider.System, CancellationToken.None);
        stop.Token.Register(() => mayEnd.Wait());
        stop.Stop();
        Assert.True(stop.Token.IsCancellationRequested);
        mayEnd.Set();
    }

    [Fact]
    public async Task A_time_that_is_set_again_counts_from_then()
    {
        using var stop = new StopSource(TimeSpan.FromHours(1), TimeProvider.System);
        stop.StopAfter(TimeSpan.FromMilliseconds(1));
        await Breaking(stop.Token);
    }

    [Fact]
    public void What_has_ended_can_be_stopped()
    {
        var stop = new StopSource(TimeSpan.FromHours(1), TimeProvider.System);
        stop.Dispose();
        stop.Stop();
    }

    // Completed when it is told; what it throws then is its own affair.
    private static Task Breaking(CancellationToken stop)
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        stop.Register(() =>
        {
            told.SetResult();
            throw new InvalidOperationException("a driver's own fault");
        });
        return told.Task.WaitAsync(TimeSpan.FromSeconds(30), CancellationToken.None);
    }
}
