using Millrace.Nodes;

namespace Millrace.Tests.Nodes;

/// <summary>What is told to stop may break on being told, or take its time; whoever stops it goes on, and so does whoever waits for it.</summary>
public sealed class StopSourceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task What_breaks_on_being_stopped_breaks_nobody_else()
    {
        using var host = new CancellationTokenSource();
        using var stop = new StopSource(TimeProvider.System, host.Token);
        var told = Breaking(stop.Token);
        host.Cancel(throwOnFirstException: true);
        Assert.True(stop.IsStopped);
        await told;
    }

    [Fact]
    public async Task What_breaks_when_its_time_is_up_does_not_end_the_process()
    {
        using var stop = new StopSource(TimeProvider.System, CancellationToken.None);
        var told = Breaking(stop.Token);
        stop.StopAfter(TimeSpan.FromMilliseconds(1));
        await told;
        Assert.True(stop.IsStopped);
    }

    [Fact]
    public async Task What_takes_long_to_stop_keeps_neither_those_who_stop_it_nor_those_who_wait_for_it()
    {
        var mayEnd = new TaskCompletionSource();
        using var stop = new StopSource(TimeProvider.System, CancellationToken.None);
        var slow = new TaskCompletionSource();
        stop.Token.Register(() => mayEnd.Task.Wait());
        stop.Token.Register(() => mayEnd.Task.Wait());
        await Task.Run(stop.Stop).WaitAsync(Patience);
        Assert.True(stop.Token.IsCancellationRequested);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => slow.Task.WaitAsync(stop.Waits).WaitAsync(Patience));
        mayEnd.SetResult();
    }

    [Fact]
    public async Task A_statement_is_given_up_however_long_its_driver_asks_the_server()
    {
        var mayEnd = new TaskCompletionSource();
        using var limit = new StatementLimit(TimeSpan.FromMilliseconds(1), CancellationToken.None);
        _ = Task.Run(() => limit.Stop.Register(() => mayEnd.Task.Wait()));
        var never = new TaskCompletionSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => never.Task.WaitAsync(limit.GiveUp).WaitAsync(Patience));
        mayEnd.SetResult();
    }

    [Fact]
    public async Task What_was_not_told_yet_when_its_time_ends_is_told_all_the_same()
    {
        for (var round = 0; round < 100; round++)
        {
            var told = new TaskCompletionSource();
            var stop = new StopSource(TimeProvider.System, CancellationToken.None);
            stop.Token.Register(told.SetResult);
            stop.Stop();
            stop.Dispose();
            await told.Task.WaitAsync(Patience);
        }
    }

    [Fact]
    public async Task A_time_that_is_set_again_counts_from_then()
    {
        using var stop = new StopSource(TimeSpan.FromHours(1), TimeProvider.System);
        var told = Breaking(stop.Token);
        stop.StopAfter(TimeSpan.FromMilliseconds(1));
        await told;
    }

    [Fact]
    public void What_has_ended_is_stopped_by_nothing_but_a_word()
    {
        using var host = new CancellationTokenSource();
        var stop = new StopSource(TimeProvider.System, host.Token);
        stop.Dispose();
        host.Cancel();
        Assert.False(stop.IsStopped);
        stop.Stop();
        Assert.True(stop.IsStopped);
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
        return told.Task.WaitAsync(Patience, CancellationToken.None);
    }
}
