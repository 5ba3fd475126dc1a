using Millrace.Configuration;
using Millrace.Waking;

namespace Millrace.Tests.Waking;

/// <summary>Single decisions; <see cref="WakeSimulationTests"/> shows what they come to together.</summary>
public sealed class WakePolicyTests
{
    private static readonly DateTimeOffset Noon = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);
    private readonly WakeOptions settings = new();
    private readonly WakePolicy policy;

    public WakePolicyTests() => policy = new(settings);

    [Fact]
    public void One_start_is_worth_one_token_and_those_right_behind_it_none()
    {
        Assert.Equal(1, policy.ForReady(1, Noon));
        Assert.Equal(0, policy.ForReady(1, Noon.AddSeconds(0.5)));
        Assert.Equal(0, policy.ForReady(0, Noon.AddSeconds(0.5)));
        Assert.Equal(1, policy.ForReady(1, Noon.AddSeconds(1)));
    }

    [Theory]
    [InlineData(500, 1)]
    [InlineData(501, 2)]
    [InlineData(2000, 4)]
    [InlineData(1_000_000, 8)]
    [InlineData(int.MaxValue, 8)]
    public void Much_at_once_is_worth_several(int instances, int tokens) => Assert.Equal(tokens, policy.ForReady(instances, Noon));

    [Fact]
    public void Much_in_a_row_is_worth_as_many_as_much_at_once()
    {
        var sent = Enumerable.Range(0, 2000).Sum(i => policy.ForReady(1, Noon.AddMilliseconds(i / 4)));
        Assert.Equal(4, sent);
    }

    [Fact]
    public void A_drain_that_leaves_something_passes_one_token_on_and_one_that_does_not_none()
    {
        var (token, delay) = Assert.Single(policy.AfterDrain(new(100, MoreIsReady: true, null), Noon));
        Assert.Equal((WakeReason.More, TimeSpan.Zero), (token.Reason, delay));
        Assert.Empty(policy.AfterDrain(new(100, MoreIsReady: false, null), Noon));
    }

    [Fact]
    public void The_schedules_drains_send_a_common_one() =>
        Assert.Equal(WakeReason.Ready, Assert.Single(policy.AfterDrain(new(100, MoreIsReady: true, null), Noon, isScheduled: true)).Token.Reason);

    [Fact]
    public void Nobody_needs_a_token_that_was_passed_on_long_ago()
    {
        WakeToken token = new(WakeReason.More, Noon);
        policy.AfterDrain(new(1, MoreIsReady: true, null), Noon.AddSeconds(110));
        Assert.False(policy.IsSpent(token));
        policy.AfterDrain(new(1, MoreIsReady: true, null), Noon.AddSeconds(165));
        Assert.True(policy.IsSpent(token));
    }

    [Fact]
    public void A_timer_that_is_due_soon_gets_a_token_at_its_time_and_only_one()
    {
        var (token, delay) = Assert.Single(policy.AfterDrain(new(1, false, TimeSpan.FromSeconds(40)), Noon));
        Assert.Equal((WakeReason.Due, Noon.AddSeconds(40), TimeSpan.FromSeconds(40)), (token.Reason, token.At, delay));
        Assert.Empty(policy.AfterDrain(new(1, false, TimeSpan.FromSeconds(30)), Noon.AddSeconds(10)));
        // An earlier one is worth another.
        Assert.Single(policy.AfterDrain(new(1, false, TimeSpan.FromSeconds(5)), Noon.AddSeconds(11)));
        // When its time has come, the next one is.
        Assert.Single(policy.AfterDrain(new(1, false, TimeSpan.FromSeconds(10)), Noon.AddSeconds(41)));
    }

    [Fact]
    public void A_timer_that_is_due_later_is_left_to_the_schedule() =>
        Assert.Empty(policy.AfterDrain(new(1, false, TimeSpan.FromDays(30)), Noon));

    [Fact]
    public void Tokens_older_than_the_last_look_are_spent()
    {
        WakeToken ready = new(WakeReason.Ready, Noon), more = new(WakeReason.More, Noon);
        Assert.False(policy.IsSpent(ready));
        policy.AfterDrain(new(1, MoreIsReady: false, null), Noon.AddSeconds(1));
        // What became ready within the spacing relies on it.
        Assert.False(policy.IsSpent(ready));
        policy.AfterDrain(new(1, MoreIsReady: true, null), Noon.AddSeconds(1.5));
        // The token that was passed on stands for it now.
        Assert.True(policy.IsSpent(ready));
        // Another drain has passed this one on, and works beside this process.
        Assert.False(policy.IsSpent(more));
        policy.AfterDrain(new(1, MoreIsReady: false, null), Noon.AddSeconds(20));
        Assert.True(policy.IsSpent(more));
        Assert.False(policy.IsSpent(more with { At = Noon.AddSeconds(19) }));
    }

    [Fact]
    public void Tokens_are_read_as_they_were_written()
    {
        foreach (var reason in Enum.GetValues<WakeReason>())
        {
            var token = new WakeToken(reason, Noon.AddTicks(1_234_567));
            Assert.Equal(token, WakeToken.Parse($"{token}"));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("wake up")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("""{"reason":"ready"}""")]
    [InlineData("""{"reason":"later","at":"2026-05-04T12:00:00Z"}""")]
    [InlineData("""{"reason":7,"at":"2026-05-04T12:00:00Z"}""")]
    [InlineData("""{"reason":"ready","at":12}""")]
    public void What_is_no_token_of_ours_is_none(string text) => Assert.Null(WakeToken.Parse(text));
}
