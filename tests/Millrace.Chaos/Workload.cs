using System.Text;
using Millrace.Chaos.Kinds;

namespace Millrace.Chaos;

/// <summary>What is run while everything breaks: every way in which an instance waits, branches, writes, fails and is called.</summary>
internal sealed class Workload
{
    public const string Tables = """
        create table effect (key text not null, number bigint generated always as identity, origin bigint, at timestamptz not null default clock_timestamp());
        create index on effect (key text_pattern_ops);
        create table gate (key text primary key)
        """;

    private readonly Kind[] shares;

    /// <param name="receiver">Where HTTP requests go.</param>
    /// <param name="beyondLease">Longer than the lease.</param>
    public Workload(string receiver, TimeSpan beyondLease)
    {
        Kinds =
        [
            new Plain(), new Chain(), new Turning(), new Joined(), new Raced(), new Sleepy(), new Listed(), new Spread(), new Child(),
            new Request(receiver), new Long(receiver, beyondLease), new Undone(), new Caught(), new Retried(), new Signalled(), new Timed(),
            new Suspended(), new Cancelled(), new Harried(),
        ];
        shares = [.. Kinds.SelectMany(kind => Enumerable.Repeat(kind, kind.Share))];
    }

    public IReadOnlyList<Kind> Kinds { get; }

    /// <summary>Stores their workflows.</summary>
    public async Task DefineAsync(Caller caller, CancellationToken cancel)
    {
        foreach (var (name, definition) in Kinds.Select(kind => (kind.Name, kind.Definition)).Append(("child", Child.Workflow)))
        {
            HttpRequestMessage Put() => new(HttpMethod.Put, $"workflows/{name}") { Content = new StringContent(definition, Encoding.UTF8, "application/json") };
            await caller.InsistAsync(Put, mayConflict: false, cancel);
        }
    }

    /// <summary>One of them, as often as its share says.</summary>
    public Kind Choose(Random random, bool mayBeDriven)
    {
        while (true)
        {
            var kind = shares[random.Next(shares.Length)];
            if (mayBeDriven || !kind.IsDriven)
                return kind;
        }
    }
}
