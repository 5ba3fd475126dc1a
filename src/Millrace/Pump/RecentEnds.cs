namespace Millrace.Pump;

/// <summary>
/// The instances that ended last in this process: a short one may have ended before whoever started it could begin to
/// wait for it.
/// </summary>
internal sealed class RecentEnds(int capacity)
{
    private readonly Guid[] order = new Guid[capacity];
    private readonly HashSet<Guid> known = new(capacity);
    private readonly Lock gate = new();
    private int next;

    public void Add(Guid instance)
    {
        lock (gate)
        {
            if (!known.Add(instance))
                return;
            known.Remove(order[next]);
            order[next] = instance;
            next = (next + 1) % capacity;
        }
    }

    public void Remove(Guid instance)
    {
        lock (gate)
            known.Remove(instance);
    }

    public bool Contains(Guid instance)
    {
        lock (gate)
            return known.Contains(instance);
    }
}
