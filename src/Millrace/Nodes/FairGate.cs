namespace Millrace.Nodes;

/// <summary>
/// A number of places that many use and nobody can take away from the others. What has a place keeps it for as long as it
/// likes, so some are kept back: an organisation takes no more than three times what is left free, and never the last
/// place unless it has none; one instance of it takes no more than twice what is left of that to its organisation. Of 16
/// places an instance so gets 8, and an organisation 12. Who waits is served in turn: organisations, and their instances.
/// </summary>
/// <remarks>All steps look at no more organisations and instances than there are places.</remarks>
internal sealed class FairGate(int places)
{
    private readonly Lock door = new();
    private readonly Dictionary<Guid, Organisation> organisations = [];
    private readonly LinkedList<Organisation> waiting = [];
    private int free = places;

    /// <summary>Takes a place, which is given back by disposing of it.</summary>
    /// <param name="organisation">For which organisation.</param>
    /// <param name="instance">For which of its instances.</param>
    /// <param name="cancel">Stops waiting for it.</param>
    public ValueTask<IDisposable> EnterAsync(Guid organisation, Guid instance, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested)
            return ValueTask.FromCanceled<IDisposable>(cancel);
        Waiter waiter;
        lock (door)
        {
            var guest = GuestOf(organisation, instance);
            // Whoever waits must not be let in yet, and so stands in nobody's way.
            if (MayEnter(guest))
                return new(Take(guest));
            waiter = Queue(guest);
        }

        return WaitAsync(waiter, cancel);
    }

    private static async ValueTask<IDisposable> WaitAsync(Waiter waiter, CancellationToken cancel)
    {
        await using var registration = cancel.UnsafeRegister(static (waiter, token) => ((Waiter)waiter!).Cancel(token), waiter);
        return await waiter.Task;
    }

    private Guest GuestOf(Guid organisation, Guid instance)
    {
        if (!organisations.TryGetValue(organisation, out var host))
            organisations[organisation] = host = new(organisation);
        if (!host.Guests.TryGetValue(instance, out var guest))
            host.Guests[instance] = guest = new(host, instance);
        return guest;
    }

    private bool MayEnter(Guest guest) => guest.Held < 2 * RoomOf(guest.Host);

    // How many more places an organisation can take; each of them lowers what is left free.
    private int RoomOf(Organisation host) =>
        Math.Max(0, Math.Min(((3 * free) - host.Held + 3) / 4, host.Held == 0 && free == 1 ? 1 : free - 1));

    private Place Take(Guest guest)
    {
        free--;
        guest.Held++;
        guest.Host.Held++;
        return new(this, guest);
    }

    private void Leave(Guest guest)
    {
        lock (door)
        {
            free++;
            guest.Held--;
            guest.Host.Held--;
            Forget(guest);
            while (free > 0 && Next() is { } next)
            {
                var waiter = next.Waiters.First!.Value;
                Unqueue(waiter);
                // Its turn comes again after everybody else's.
                Requeue(next);
                waiter.SetResult(Take(next));
            }
        }
    }

    private Guest? Next()
    {
        foreach (var host in waiting)
        {
            if (RoomOf(host) == 0)
                continue;
            foreach (var guest in host.Waiting)
            {
                if (MayEnter(guest))
                    return guest;
            }
        }

        return null;
    }

    private Waiter Queue(Guest guest)
    {
        var waiter = new Waiter(this, guest);
        guest.Waiters.AddLast(waiter.Node);
        if (guest.Waiters.Count == 1)
            guest.Host.Waiting.AddLast(guest.Node);
        if (guest.Host.Node.List is null)
            waiting.AddLast(guest.Host.Node);
        return waiter;
    }

    private void Requeue(Guest guest)
    {
        if (guest.Node.List is not null)
        {
            guest.Host.Waiting.Remove(guest.Node);
            guest.Host.Waiting.AddLast(guest.Node);
        }

        if (guest.Host.Node.List is not null)
        {
            waiting.Remove(guest.Host.Node);
            waiting.AddLast(guest.Host.Node);
        }
    }

    private void Unqueue(Waiter waiter)
    {
        var guest = waiter.Guest;
        guest.Waiters.Remove(waiter.Node);
        if (guest.Waiters.Count == 0)
            guest.Host.Waiting.Remove(guest.Node);
        if (guest.Host.Waiting.Count == 0)
            waiting.Remove(guest.Host.Node);
    }

    private void Forget(Guest guest)
    {
        if (guest is { Held: 0, Waiters.Count: 0 })
            guest.Host.Guests.Remove(guest.Id);
        if (guest.Host.Guests.Count == 0)
            organisations.Remove(guest.Host.Id);
    }

    private sealed class Organisation
    {
        public Organisation(Guid id) => (Id, Node) = (id, new(this));

        public Guid Id { get; }

        public LinkedListNode<Organisation> Node { get; }

        public Dictionary<Guid, Guest> Guests { get; } = [];

        public LinkedList<Guest> Waiting { get; } = [];

        public int Held { get; set; }
    }

    private sealed class Guest
    {
        public Guest(Organisation host, Guid id) => (Host, Id, Node) = (host, id, new(this));

        public Organisation Host { get; }

        public Guid Id { get; }

        public LinkedListNode<Guest> Node { get; }

        public LinkedList<Waiter> Waiters { get; } = [];

        public int Held { get; set; }
    }

    private sealed class Waiter : TaskCompletionSource<IDisposable>
    {
        private readonly FairGate gate;

        public Waiter(FairGate gate, Guest guest)
            : base(TaskCreationOptions.RunContinuationsAsynchronously) => (this.gate, Guest, Node) = (gate, guest, new(this));

        public Guest Guest { get; }

        public LinkedListNode<Waiter> Node { get; }

        public void Cancel(CancellationToken cancel)
        {
            lock (gate.door)
            {
                if (Node.List is null)
                    return;
                gate.Unqueue(this);
                gate.Forget(Guest);
            }

            TrySetCanceled(cancel);
        }
    }

    private sealed class Place(FairGate gate, Guest guest) : IDisposable
    {
        private Guest? guest = guest;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref guest, null) is { } leaving)
                gate.Leave(leaving);
        }
    }
}
