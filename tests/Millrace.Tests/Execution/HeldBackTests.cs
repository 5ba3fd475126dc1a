using Millrace.Execution;
using Millrace.Tests.Support;

namespace Millrace.Tests.Execution;

public sealed class HeldBackTests
{
    private static readonly NodeEvent Held = new(null, new("later", "circuit_open") { IsHeldBack = true, RetryAfter = TimeSpan.FromSeconds(15) });

    [Fact]
    public void What_is_held_back_takes_no_attempt_away()
    {
        var run = VirtualRun.Of(
            """{"http":"http://a.example","retry":{"attempts":2,"backoff":"1s","jitter":false}}""",
            command => command.Key.Attempt is 1 or 2 or 4 ? Held : NodeEvent.Fails($"no {command.Key.Attempt}")).ToEnd();

        Assert.Equal("no 5", run.Outcome!.Error!.Message);
        Assert.Equal(5, run.History.Count);
        Assert.Equal([15, 15, 1, 15], Pauses(run));
    }

    [Fact]
    public void What_is_held_back_for_long_is_tried_less_and_less_often()
    {
        var run = VirtualRun.Of(
            """{"http":"http://a.example","retry":{"attempts":1,"backoff":"10s","maxBackoff":"1m","jitter":false}}""",
            command => command.Key.Attempt < 8 ? Held : NodeEvent.Of("{}")).ToEnd();
        Assert.Equal([15, 20, 40, 60, 60, 60, 60], Pauses(run));
        Assert.Equal(InstanceStatus.Completed, run.Outcome!.Status);
    }

    [Fact]
    public void A_pause_that_was_asked_for_is_kept_even_beyond_the_bound_of_the_own_ones()
    {
        var run = VirtualRun.Of(
            """{"http":"http://a.example","retry":{"attempts":3,"backoff":"1s","maxBackoff":"2s","jitter":false}}""",
            command => new(null, new("busy", "503") { RetryAfter = command.Key.Attempt == 1 ? TimeSpan.FromMinutes(10) : TimeSpan.FromMilliseconds(5) })).ToEnd();
        Assert.Equal([600, 2], Pauses(run));
    }

    [Fact]
    public void No_pause_at_all_and_no_end_of_being_held_back_leave_the_asked_for_pause()
    {
        var run = VirtualRun.Of(
            """{"http":"http://a.example","retry":{"attempts":1,"backoff":"0s","factor":100,"jitter":false}}""",
            command => command.Key.Attempt < 300 ? Held : NodeEvent.Of("{}")).ToEnd();
        Assert.All(Pauses(run), pause => Assert.Equal(15, pause));
    }

    [Fact]
    public void A_worker_that_takes_over_counts_and_pauses_alike()
    {
        var run = VirtualRun.Of("""{"http":"http://a.example","retry":{"attempts":1,"backoff":"1s"}}""", _ => Held);
        run.Step();
        run.Step();
        run.Step();
        var before = StateJson.Write(run.State).ToString();
        run.CrashAndRestore([]);
        Assert.Equal(before, StateJson.Write(run.State).ToString());
        Assert.Contains("\"forgiven\":2", before, StringComparison.Ordinal);
    }

    private static IEnumerable<double> Pauses(VirtualRun run) =>
        run.History.Zip(run.History.Skip(1), (a, b) => (b.StartedAt - a.EndedAt).TotalSeconds);
}
