using Millrace.Execution;
using Millrace.Nodes;
using Millrace.Store;

namespace Millrace.Pump;

/// <summary>The nodes of one instance that are being executed right now, each with the means to stop it.</summary>
internal sealed class RunningNodes(Guid instance, NodeExecutors executors, StoreClock clock)
{
    private readonly Dictionary<NodeKey, Running> running = [];
    private readonly List<Running> abandoned = [];

    /// <summary>Whether there is any.</summary>
    public bool Any => running.Count > 0;

    /// <summary>How each will have ended.</summary>
    public IEnumerable<Task<InstanceEvent>> Ends => running.Values.Select(node => node.End);

    /// <summary>Carries a command of the machine out.</summary>
    public void Carry(Command command, CancellationToken cancel)
    {
        switch (command)
        {
            case Execute execute:
                var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                running[execute.Key] = new(ExecuteAsync(execute, stop.Token), stop);
                break;
            case Abandon abandon when running.Remove(abandon.Key, out var node):
                node.Stop.Cancel();
                abandoned.Add(node);
                break;
        }
    }

    /// <summary>Takes an end in: that node is not running any more.</summary>
    public InstanceEvent Take(InstanceEvent end)
    {
        var key = end switch
        {
            NodeCompleted completed => completed.Key,
            NodeFailed failed => failed.Key,
            _ => throw new InvalidOperationException($"{end.GetType().Name} is not the end of a node."),
        };
        if (running.Remove(key, out var node))
            node.Stop.Dispose();
        return end;
    }

    /// <summary>Stops all, and waits until nothing of them runs any more: none may outlive the run.</summary>
    public async Task StopAllAsync()
    {
        foreach (var node in running.Values)
            await node.Stop.CancelAsync();
        foreach (var node in running.Values.Concat(abandoned))
        {
            await ((Task)node.End).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            node.Stop.Dispose();
        }

        running.Clear();
        abandoned.Clear();
    }

    private async Task<InstanceEvent> ExecuteAsync(Execute command, CancellationToken cancel)
    {
        var end = await executors.ExecuteAsync(instance, command, cancel);
        return end.Failure is { } failure
            ? new NodeFailed(clock.Now, command.Key, failure)
            : new NodeCompleted(clock.Now, command.Key, end.Result!);
    }

    private sealed record Running(Task<InstanceEvent> End, CancellationTokenSource Stop);
}
