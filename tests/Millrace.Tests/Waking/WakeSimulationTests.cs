using Millrace.Configuration;
using Millrace.Waking;
using Xunit.Abstractions;

namespace Millrace.Tests.Waking;

/// <summary>
/// Hours of a function app on virtual time: processes that take starts in, a queue that is slow, loses and doubles
/// messages, drains that end when their time is up, and the schedule behind it all.
/// </summary>
public sealed class WakeSimulationTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Fact]
    public void An_idle_system_sends_nothing()
    {
        var app = new SimulatedApp(1) { Timers = [TimeSpan.FromDays(2)] };
        app.Run(TimeSpan.FromHours(6));
        Assert.Equal(0, app.Sent);
        Assert.Equal(0, app.WokenDrains);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_trickle_is_run_within_seconds_with_a_token_for_each(int seed)
    {
        var app = new SimulatedApp(seed) { StartsPerSecond = _ => 0.05 };
        app.Run(4 * Hour);
        Report(app);
        Assert.InRange(app.LongestWait, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.InRange(app.Sent, 1, app.Started + 5);
        Assert.InRange(app.MostQueued, 1, 4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Lost_and_doubled_tokens_cost_a_period_of_the_schedule_at_the_most(int seed)
    {
        var app = new SimulatedApp(seed) { StartsPerSecond = _ => 0.2, Loss = 0.5, Doubling = 0.3 };
        app.Run(4 * Hour);
        Report(app);
        Assert.InRange(app.LongestWait, TimeSpan.FromSeconds(5), SimulatedApp.Period + TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Without_any_token_the_schedule_alone_runs_everything()
    {
        var app = new SimulatedApp(1) { StartsPerSecond = _ => 2, Loss = 1 };
        app.Run(2 * Hour);
        Report(app);
        Assert.InRange(app.LongestWait, TimeSpan.FromSeconds(5), SimulatedApp.Period + TimeSpan.FromSeconds(1));
        Assert.Equal(0, app.WokenDrains);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Steady_load_wakes_no_more_than_it_needs(int seed)
    {
        // One drain runs 100 a second.
        var app = new SimulatedApp(seed) { StartsPerSecond = _ => 50 };
        app.Run(2 * Hour);
        Report(app);
        Assert.InRange(app.LongestWait, TimeSpan.Zero, TimeSpan.FromSeconds(8));
        // Each of the two processes that take starts in sends one a second at the most.
        Assert.InRange(app.Sent, 1, 2 * 2 * 3600 * 1.2);
        app.AssertBounded();
    }

    [Theory]
    [InlineData(1, 0.0)]
    [InlineData(2, 0.0)]
    [InlineData(3, 0.2)]
    [InlineData(4, 0.2)]
    public void A_burst_calls_several_and_they_go_on_until_nothing_is_left(int seed, double loss)
    {
        // Twenty thousand at once each half hour: 200 s for one drain, 25 for eight.
        var app = new SimulatedApp(seed) { BurstEvery = TimeSpan.FromMinutes(30), BurstSize = 20_000, Loss = loss, Doubling = loss };
        app.Run(3 * Hour);
        Report(app);
        Assert.Equal(0, app.Waiting);
        Assert.InRange(app.MostDrains, 4, 10);
        Assert.InRange(app.LongestWait, TimeSpan.Zero, TimeSpan.FromSeconds(loss > 0 ? 120 : 60));
        app.AssertBounded();
    }

    [Theory]
    [InlineData(1, 0.0, 0.0)]
    [InlineData(2, 0.1, 0.1)]
    [InlineData(3, 0.0, 0.05)]
    public void More_than_can_be_run_piles_up_in_the_store_and_not_in_the_queue(int seed, double loss, double doubling)
    {
        // Two thousand a second against the thousand that ten drains run.
        var app = new SimulatedApp(seed) { StartsPerSecond = now => now < 1 * 3600 ? 2000 : 0, Loss = loss, Doubling = doubling };
        app.Run(3 * Hour);
        Report(app);
        Assert.Equal(0, app.Waiting);
        // A thousand a second at each of the two processes are worth two to three tokens.
        app.AssertBounded(sentPerSecond: 6);
    }

    [Theory]
    [InlineData(1, 0.0)]
    [InlineData(2, 0.3)]
    public void Timers_are_met_and_not_only_by_the_schedule(int seed, double loss)
    {
        var random = new Random(seed);
        var app = new SimulatedApp(seed)
        {
            Timers = [.. Enumerable.Range(0, 500).Select(_ => TimeSpan.FromSeconds(random.NextDouble() * 4 * 3600)).Order()],
            Loss = loss,
        };
        app.Run(TimeSpan.FromHours(4.1));
        Report(app);
        Assert.Equal(0, app.Waiting);
        Assert.InRange(app.LongestWait, TimeSpan.Zero, loss > 0 ? SimulatedApp.Period + TimeSpan.FromSeconds(1) : TimeSpan.FromSeconds(4));
        app.AssertBounded();
    }

    private void Report(SimulatedApp app) => output.WriteLine(
        $"{app.Started:N0} ready, longest wait {app.LongestWait.TotalSeconds:0.0} s, {app.Sent:N0} tokens, {app.WokenDrains:N0} woken drains, at most {app.MostQueued} queued and {app.MostDrains} drains at once");

    /// <summary>Two processes that take starts in, one that the schedule calls, and up to ten that the queue calls.</summary>
    private sealed class SimulatedApp(int seed)
    {
        public static readonly TimeSpan Period = TimeSpan.FromSeconds(30);
        private const int MostWorkers = 10;
        private const double Step = 0.1;
        private const double DrainRate = 100;
        private static readonly TimeSpan Budget = TimeSpan.FromSeconds(55);
        private static readonly DateTimeOffset Begin = new(2026, 5, 4, 0, 0, 0, TimeSpan.Zero);
        private static readonly WakeOptions Settings = new();

        private readonly Random random = new(seed);
        private readonly List<WakePolicy> fronts = [new(Settings), new(Settings)];
        private readonly List<Worker> workers = [.. Enumerable.Range(0, MostWorkers).Select(_ => new Worker(Settings))];
        private readonly Worker scheduled = new(Settings);
        private readonly List<(double VisibleAt, string Text)> queue = [];
        private readonly Queue<(double At, int Count)> ready = new();
        private (double At, int Count) head;
        private double? nextTimer;
        private double now;

        public Func<double, double> StartsPerSecond { get; init; } = _ => 0;

        public TimeSpan? BurstEvery { get; init; }

        public int BurstSize { get; init; }

        public IReadOnlyList<TimeSpan> Timers { get; init; } = [];

        public double Loss { get; init; }

        public double Doubling { get; init; }

        public long Started { get; private set; }

        public long Sent { get; private set; }

        public long WokenDrains { get; private set; }

        public int MostQueued { get; private set; }

        public int MostDrains { get; private set; }

        public TimeSpan LongestWait { get; private set; }

        public long Waiting => head.Count + ready.Sum(item => (long)item.Count);

        // Common tokens wait for the end of a drain at the most, or behind one that was passed on, which nobody wants after
        // two minutes; and there is one for each worker, and timers.
        public void AssertBounded(int sentPerSecond = 2) =>
            Assert.InRange(MostQueued, 0, (int)(sentPerSecond * (Budget.TotalSeconds + 120)) + (2 * Settings.MostTokens) + MostWorkers);

        public void Run(TimeSpan time)
        {
            var timer = 0;
            var due = 0.0;
            var nextBurst = BurstEvery?.TotalSeconds ?? double.MaxValue;
            for (var step = 0; (now = step * Step) < time.TotalSeconds; step++)
            {
                // Timers that are due are ready without anybody's doing.
                for (; timer < Timers.Count && Timers[timer].TotalSeconds <= now; timer++)
                    BecomeReady(1);
                nextTimer = timer < Timers.Count ? Timers[timer].TotalSeconds : null;
                Start(Poisson(StartsPerSecond(now) * Step));
                if (now >= nextBurst)
                {
                    Start(BurstSize);
                    nextBurst += BurstEvery!.Value.TotalSeconds;
                }

                if (now >= due)
                {
                    due += Period.TotalSeconds;
                    if (!scheduled.IsDraining)
                        scheduled.Begin(now, linger: 0);
                }

                foreach (var worker in workers.Where(worker => !worker.IsDraining && now >= worker.PollsAt))
                    Poll(worker);
                foreach (var worker in workers.Append(scheduled).Where(worker => worker.IsDraining))
                    Drain(worker);
                MostQueued = Math.Max(MostQueued, queue.Count(message => message.VisibleAt <= now));
                MostDrains = Math.Max(MostDrains, workers.Append(scheduled).Count(worker => worker.IsDraining));
            }
        }

        private bool IsAnyReady => head.Count > 0 || ready.Count > 0;

        private DateTimeOffset Time => Begin.AddSeconds(now);

        private void Start(int count)
        {
            if (count == 0)
                return;
            BecomeReady(count);
            var front = fronts[random.Next(fronts.Count)];
            for (var tokens = front.ForReady(count, Time); tokens > 0; tokens--)
                Send(new(WakeReason.Ready, Time), TimeSpan.Zero);
        }

        private void BecomeReady(int count)
        {
            ready.Enqueue((now, count));
            Started += count;
        }

        private void Send(WakeToken token, TimeSpan delay)
        {
            Sent++;
            if (random.NextDouble() < Loss)
                return;
            queue.Add((now + delay.TotalSeconds + 0.05, $"{token}"));
            if (random.NextDouble() < Doubling)
                queue.Add((now + delay.TotalSeconds + (random.NextDouble() * 100), $"{token}"));
        }

        // An idle queue is looked at every two seconds.
        private void Poll(Worker worker)
        {
            var place = queue.FindIndex(message => message.VisibleAt <= now);
            if (place < 0)
            {
                worker.PollsAt = now + (2 * random.NextDouble());
                return;
            }

            var token = WakeToken.Parse(queue[place].Text)!;
            queue.RemoveAt(place);
            if (worker.Policy.IsSpent(token))
                return;
            WokenDrains++;
            worker.Begin(now, Settings.Linger.TotalSeconds);
        }

        private void Drain(Worker worker)
        {
            worker.Capacity += DrainRate * Step;
            while (worker.Capacity >= 1 && (head.Count > 0 || ready.TryDequeue(out head)))
            {
                LongestWait = TimeSpan.FromSeconds(Math.Max(LongestWait.TotalSeconds, now - head.At));
                var taken = Math.Min(head.Count, (int)worker.Capacity);
                worker.Capacity -= taken;
                head.Count -= taken;
                worker.QuietSince = now;
            }

            worker.Capacity = Math.Min(worker.Capacity, DrainRate * Step);
            var isOver = now - worker.Began >= Budget.TotalSeconds;
            if (!isOver && (IsAnyReady || now - worker.QuietSince < worker.Linger))
                return;
            worker.End();
            TimeSpan? next = nextTimer is { } at ? TimeSpan.FromSeconds(at - now) : null;
            foreach (var (token, delay) in worker.Policy.AfterDrain(new(0, IsAnyReady, next), Time, isScheduled: worker == scheduled))
                Send(token, delay);
        }

        private int Poisson(double mean)
        {
            if (mean > 30)
                return (int)mean;
            var (count, product, limit) = (-1, 1.0, Math.Exp(-mean));
            do
            {
                count++;
                product *= random.NextDouble();
            }
            while (product > limit);
            return count;
        }

        private sealed class Worker(WakeOptions settings)
        {
            public WakePolicy Policy { get; } = new(settings);

            public bool IsDraining { get; private set; }

            public double Began { get; private set; }

            public double QuietSince { get; set; }

            public double Linger { get; private set; }

            public double Capacity { get; set; }

            public double PollsAt { get; set; }

            public void Begin(double now, double linger) => (IsDraining, Began, QuietSince, Linger, Capacity) = (true, now, now, linger, 0);

            public void End() => IsDraining = false;
        }
    }
}
