using Millrace.Nodes;

namespace Millrace.Tests.Nodes;

/// <summary>Places are shared out so that whoever takes many leaves some for the others.</summary>
public sealed class FairGateTests
{
    private static readonly Guid First = Guid.NewGuid();
    private static readonly Guid Second = Guid.NewGuid();

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(4, 2, 3)]
    [InlineData(16, 8, 12)]
    [InlineData(100, 50, 75)]
    public void An_instance_and_an_organisation_leave_places_to_others(int places, int ofInstance, int ofOrganisation)
    {
        var gate = new FairGate(places);
        Assert.Equal(ofInstance, Fill(gate, First, Guid.NewGuid()).Count);
        var rest = 0;
        while (Fill(gate, First, Guid.NewGuid()) is { Count: > 0 and var more })
            rest += more;
        Assert.Equal(ofOrganisation, ofInstance + rest);
        Assert.Equal(places > 1, gate.EnterAsync(Second, Guid.NewGuid(), CancellationToken.None).AsTask().IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Those_who_wait_are_served_in_turn_by_organisation_and_by_instance()
    {
        var gate = new FairGate(1);
        var place = await gate.EnterAsync(First, Guid.NewGuid(), CancellationToken.None);
        var (a, b, c) = (Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());
        var order = new List<string>();
        var tasks = new[] { (First, a, "a1"), (First, a, "a2"), (First, a, "a3"), (First, b, "b1"), (Second, c, "c1"), (Second, c, "c2") }
            .Select(one => (Entering: gate.EnterAsync(one.Item1, one.Item2, CancellationToken.None).AsTask(), Name: one.Item3))
            .ToList();
        while (tasks.Count > 0)
        {
            place.Dispose();
            var next = await Task.WhenAny(tasks.Select(one => one.Entering));
            var served = tasks.Find(one => one.Entering == next);
            Assert.Equal(1, tasks.Count(one => one.Entering.IsCompleted));
            order.Add(served.Name);
            tasks.Remove(served);
            place = await next;
        }

        Assert.Equal(["a1", "c1", "b1", "c2", "a2", "a3"], order);
    }

    [Fact]
    public async Task Whoever_stops_waiting_takes_no_place()
    {
        var gate = new FairGate(1);
        var place = await gate.EnterAsync(First, First, CancellationToken.None);
        using var stop = new CancellationTokenSource();
        var given = gate.EnterAsync(Second, Second, stop.Token).AsTask();
        var waiting = gate.EnterAsync(First, First, CancellationToken.None).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        place.Dispose();
        place.Dispose();
        (await waiting).Dispose();
        Assert.True(gate.EnterAsync(Second, Second, CancellationToken.None).AsTask().IsCompletedSuccessfully);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(16)]
    public async Task However_many_come_and_go_no_place_is_lost_and_none_given_twice(int places)
    {
        var gate = new FairGate(places);
        var random = new Random(places);
        var guests = Enumerable.Range(0, 12).Select(i => (Organisation: i % 4 == 0 ? First : Second, Instance: Guid.NewGuid())).ToList();
        var inside = 0;
        await Task.WhenAll(Enumerable.Range(0, 2_000).Select(async i =>
        {
            var (organisation, instance) = guests[i % guests.Count];
            using var stop = new CancellationTokenSource();
            var entering = gate.EnterAsync(organisation, instance, stop.Token);
            if (random.Next(4) == 0)
                await stop.CancelAsync();
            try
            {
                using var place = await entering;
                Assert.InRange(Interlocked.Increment(ref inside), 1, places);
                await Task.Yield();
                Interlocked.Decrement(ref inside);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
            }
        }));
        Assert.Equal(Fill(new(places), First, First).Count, Fill(gate, First, First).Count);
    }

    private static List<IDisposable> Fill(FairGate gate, Guid organisation, Guid instance)
    {
        var held = new List<IDisposable>();
        using var stop = new CancellationTokenSource();
        while (gate.EnterAsync(organisation, instance, stop.Token).AsTask() is { IsCompletedSuccessfully: true } entered)
            held.Add(entered.Result);
        stop.Cancel();
        return held;
    }
}
