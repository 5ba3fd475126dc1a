using Millrace.Execution;
using Millrace.Store;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>
/// Rebuilds the state of an instance whose worker is gone, from the store. The history is folded as it comes in, so what
/// is in memory is the state, the signals since the snapshot (which are few bytes: they are refused at the door) and one
/// checkpoint, however large the results of the past were.
/// </summary>
internal sealed class Rebuilder(InstanceStore instances, SignalStore signals)
{
    /// <summary>The state that the history after a snapshot has come to.</summary>
    /// <exception cref="InvalidOperationException">The history does not follow from the snapshot.</exception>
    public async Task<InstanceState> RebuildAsync(
        Workflow workflow, InstanceFacts facts, Guid organisation, InstanceState snapshot, DateTimeOffset startedAt, CancellationToken cancel)
    {
        // Before the history is opened: whoever holds a connection and asks for another one waits for others that do the same.
        var replay = new Replay(workflow, facts, snapshot, startedAt, await ReceivedAsync(facts.Id, snapshot.Mailbox.Seen, cancel));
        await foreach (var view in instances.ExecutionsAsync(organisation, facts.Id, snapshot.Executions, int.MaxValue, cancel))
            replay.Take(view.Line);
        return replay.End();
    }

    private async Task<IReadOnlyList<Signal>> ReceivedAsync(Guid instance, long after, CancellationToken cancel)
    {
        var received = new List<Signal>();
        while (true)
        {
            var page = await signals.AfterAsync(instance, after, cancel);
            received.AddRange(page.Items);
            if (!page.HasMore)
                return received;
            after = received[^1].Number;
        }
    }
}
