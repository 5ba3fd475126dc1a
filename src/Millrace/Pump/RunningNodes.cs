using System.Collections.Concurrent;
using Millrace.Execution;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>
/// The nodes of one instance that are being executed right now, each with the means to stop it.
/// </summary>
/// <param name="execute">Executes a node; null in place of an end means that the node goes on waiting, for its children.</param>
/// <param name="clock">The store's time.</param>
/// <param name="wake">Called when one has ended.</param>
internal sealed class RunningNodes(Func<Execute, CancellationToken, Task<NodeEnd?>> execute, StoreClock clock, Action wake)
{
    private readonly Dictionary<NodeKey, Running> running = [];
    private readonly List<Running> abandoned = [];
    private readonly ConcurrentQueue<Running> ended = new();

    /// <summary>Whether there is any.</summary>
    public bool Any => running.Count > 0;

    /// <summary>Whether a node is among them.</summary>
    public bool Has(NodeKey key) => running.ContainsKey(key);

    /// <summary>Begins a node, or stops one.</summary>
    public void Carry(Command command, CancellationToken cancel)
    {
        switch (command)
        {
            case Execute begun:
                var node = new Running(begun.Key, CancellationTokenSource.CreateLinkedTokenSource(cancel));
                running[begun.Key] = node;
                node.Task = RunAsync(node, begun);
                break;
            case Abandon abandon when running.Remove(abandon.Key, out var unwanted):
                unwanted.Stop.Cancel();
                abandoned.Add(unwanted);
                break;
        }
    }

    /// <summary>
    /// Takes out what has ended, in the order in which it did. What was stopped from outside stays: it has not ended, and
    /// its instance is not idle.
    /// </summary>
    public IEnumerable<InstanceEvent> TakeEnds()
    {
        while (ended.TryDequeue(out var node))
        {
            if (running.GetValueOrDefault(node.Key) != node)
                continue;
            running.Remove(node.Key);
            node.Stop.Dispose();
            if (node.End is { } end)
                yield return end;
        }
    }

    /// <summary>Stops all, and waits until nothing of them runs any more: none may outlive the run.</summary>
    public async Task StopAllAsync()
    {
        foreach (var node in running.Values)
            await node.Stop.CancelAsync();
        foreach (var node in running.Values.Concat(abandoned))
        {
            await node.Task;
            node.Stop.Dispose();
        }

        running.Clear();
        abandoned.Clear();
    }

    private async Task RunAsync(Running node, Execute command)
    {
        try
        {
            var end = await execute(command, node.Stop.Token);
            node.End = end switch
            {
                null => null,
                { Failure: { } failure } => new NodeFailed(clock.Now, node.Key, failure),
                { Result: var result } => new NodeCompleted(clock.Now, node.Key, result!),
            };
            ended.Enqueue(node);
            wake();
        }
        catch (OperationCanceledException)
        {
            // Nobody waits for it any more, or the process stops.
        }
    }

    private sealed class Running(NodeKey key, CancellationTokenSource stop)
    {
        public NodeKey Key => key;

        public CancellationTokenSource Stop => stop;

        public Task Task { get; set; } = Task.CompletedTask;

        public InstanceEvent? End { get; set; }
    }
}
