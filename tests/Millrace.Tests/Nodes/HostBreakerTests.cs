using Millrace.Nodes;

namespace Millrace.Tests.Nodes;

public sealed class HostBreakerTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(15);
    private readonly Clock clock = new();
    private readonly HostBreaker breaker;

    public HostBreakerTests() => breaker = new(failures: 5, Pause, clock);

    [Fact]
    public void Failures_of_nearly_all_hold_everything_back_for_the_pause()
    {
        Fail(4);
        Assert.Null(breaker.Ask().HeldFor);
        Fail(1);
        Assert.Equal(Pause, breaker.Ask().HeldFor);
        clock.Pass(TimeSpan.FromSeconds(10));
        Assert.Equal(TimeSpan.FromSeconds(5), breaker.Ask().HeldFor);
        clock.Pass(TimeSpan.FromSeconds(5));
        Assert.Null(breaker.Ask().HeldFor);
    }

    [Fact]
    public void A_path_that_goes_on_failing_holds_the_others_back_for_no_longer_than_the_pause()
    {
        Fail(5);
        clock.Pass(Pause);
        var turn = breaker.Ask().Turn;
        breaker.Report(turn, wasAnswered: false);
        Assert.Null(breaker.Ask().HeldFor);
        breaker.Report(turn, wasAnswered: true);
        Fail(7);
        Assert.Null(breaker.Ask().HeldFor);
    }

    [Fact]
    public void A_host_that_is_away_is_held_back_again()
    {
        Fail(5);
        clock.Pass(Pause);
        Fail(4);
        Assert.Null(breaker.Ask().HeldFor);
        Fail(1);
        Assert.Equal(Pause, breaker.Ask().HeldFor);
    }

    [Fact]
    public void One_answer_in_ten_is_enough_to_go_on()
    {
        breaker.Report(0, wasAnswered: true);
        Fail(8);
        Assert.Null(breaker.Ask().HeldFor);
        Fail(1);
        Assert.NotNull(breaker.Ask().HeldFor);
    }

    [Fact]
    public void Failures_that_lie_far_apart_are_not_added_up()
    {
        Fail(4);
        clock.Pass(TimeSpan.FromSeconds(31));
        Fail(4);
        Assert.Null(breaker.Ask().HeldFor);
    }

    [Fact]
    public void What_began_before_a_pause_does_not_bring_about_the_next_one()
    {
        var turn = breaker.Ask().Turn;
        Fail(5);
        clock.Pass(Pause);
        Assert.Null(breaker.Ask().HeldFor);
        for (var i = 0; i < 20; i++)
            breaker.Report(turn, wasAnswered: false);
        Assert.Null(breaker.Ask().HeldFor);
    }

    private void Fail(int times)
    {
        for (var i = 0; i < times; i++)
            breaker.Report(breaker.Ask().Turn, wasAnswered: false);
    }

    private sealed class Clock : TimeProvider
    {
        private long now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => now;

        public void Pass(TimeSpan time) => now += time.Ticks;
    }
}
