using System.Collections.Concurrent;
using Millrace.Execution;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>The end of an execution as whoever executes it tells it.</summary>
/// <param name="End">How it ended; null where it goes on waiting, for its children.</param>
/// <param name="ChildrenCounted">The number of children's ends that the parent's row counts since they were started; null where none were.</param>
internal readonly record struct ExecutionEnd(NodeEnd? End, long? ChildrenCounted = null);

/// <summary>
/// The nodes of one instance that are being executed right now, each with the means to stop it. However an execution ends,
/// its end is told, but where it was stopped: then nobody waits for it any more.
/// </summary>
/// <param name="execute">Executes a node.</param>
/// <param name="clock">The store's time.</param>
/// <param name="wake">Called when one has ended.</param>
/// <param name="broke">Told of an exception that nobody expected.</param>
internal sealed class RunningNodes(Func<Execute, CancellationToken, Task<ExecutionEnd>> execute, StoreClock clock, Action wake, Action<NodeKey, Exception> broke)
{
    private readonly Dictionary<NodeKey, Running> running = [];
    private readonly HashSet<Running> abandoned = [];
    private readonly ConcurrentQueue<Running> ended = new();

    /// <summary>Begins a node, or stops one.</summary>
    public void Carry(Command command, CancellationToken cancel)
    {
        switch (command)
        {
            case Execute begun:
                var node = new Running(begun.Key, CancellationTokenSource.CreateLinkedTokenSource(cancel));
                running.Add(begun.Key, node);
                node.Task = RunAsync(node, begun);
                break;
            case Abandon abandon when running.Remove(abandon.Key, out var unwanted):
                abandoned.Add(unwanted);
                unwanted.IsAbandoned = true;
                _ = unwanted.Stop.CancelAsync();
                break;
        }
    }

    /// <summary>
    /// Takes out what has ended, in the order in which it did. What was stopped from outside stays: it has not ended, and
    /// its instance is not idle.
    /// </summary>
    public IEnumerable<RunEvent> TakeEnds()
    {
        while (ended.TryDequeue(out var node))
        {
            node.Stop.Dispose();
            if (!abandoned.Remove(node) && running.Remove(node.Key))
                yield return node.End!;
        }
    }

    /// <summary>Waits until an execution has come to its end, or was stopped. Its end is told as any other.</summary>
    public Task SettledAsync(NodeKey key) => running.GetValueOrDefault(key)?.Task ?? Task.CompletedTask;

    /// <summary>Stops all, and waits until nothing of them runs any more: none may outlive the run.</summary>
    public async Task StopAllAsync()
    {
        foreach (var node in running.Values.Where(node => !node.Task.IsCompleted))
            _ = node.Stop.CancelAsync();
        foreach (var node in running.Values.Concat(abandoned))
        {
            await node.Task;
            node.Stop.Dispose();
        }

        running.Clear();
        abandoned.Clear();
        ended.Clear();
    }

    private async Task RunAsync(Running node, Execute command)
    {
        try
        {
            var end = await execute(command, node.Stop.Token);
            node.End = new ExecutionEnded(node.Key, EventOf(node.Key, end.End), end.ChildrenCounted);
        }
        catch (OperationCanceledException) when (node.Stop.IsCancellationRequested)
        {
            // The process stops, the lease is lost, or nobody waits for it any more; only in the last case is it forgotten.
            if (!node.IsAbandoned)
                return;
        }
        catch (Exception e)
        {
            broke(node.Key, e);
            node.End = new ExecutionBroke(node.Key);
        }

        ended.Enqueue(node);
        wake();
    }

    private InstanceEvent? EventOf(NodeKey key, NodeEnd? end) => end switch
    {
        null => null,
        { Failure: { } failure } => new NodeFailed(clock.Now, key, failure),
        { Result: var result } => new NodeCompleted(clock.Now, key, result!),
    };

    private sealed class Running(NodeKey key, CancellationTokenSource stop)
    {
        public NodeKey Key => key;

        public CancellationTokenSource Stop => stop;

        public Task Task { get; set; } = Task.CompletedTask;

        public RunEvent? End { get; set; }

        public volatile bool IsAbandoned;
    }
}
