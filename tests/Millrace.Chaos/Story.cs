using System.Globalization;
using System.Text;
using Millrace.Chaos.Kinds;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Values;

namespace Millrace.Chaos;

/// <summary>What became of an instance, as the store tells it.</summary>
internal sealed class Story
{
    public required Guid Id { get; init; }

    /// <summary>Who started it; null where a caller did.</summary>
    public required Guid? Parent { get; init; }

    /// <summary>Its place among its parent's items.</summary>
    public required int? Place { get; init; }

    public required Json Input { get; init; }

    /// <summary>How it ended; null while it lives.</summary>
    public required InstanceStatus? Status { get; init; }

    public required Json? Result { get; init; }

    public required NodeError? Error { get; init; }

    public required DateTimeOffset? StartedAt { get; init; }

    /// <summary>Of a live one, its row.</summary>
    public required string Work { get; init; }

    /// <summary>What was started; null for what is not one of the load's.</summary>
    public Start? Start { get; set; }

    /// <summary>Its executions.</summary>
    public List<ExecutionView> Lines { get; } = [];

    /// <summary>The items and runs that it has started.</summary>
    public List<Story> Children { get; } = [];

    /// <summary>It and they.</summary>
    public IEnumerable<Story> Family => [this, .. Children];

    /// <summary>Its effects in the store's database.</summary>
    public Dictionary<string, int> Effects { get; } = [];

    /// <summary>Its effects in the second database.</summary>
    public Dictionary<string, int> Elsewhere { get; } = [];

    public IEnumerable<NodeExecution> History => Lines.Select(line => line.Execution);

    public Kind Kind => Start!.Kind;

    /// <summary>Whether it was given up because of its lost workers, as it may be.</summary>
    public bool IsGivenUp => Kind.MayLoseItsWorkers && Error?.Code is "worker_lost";

    /// <summary>The place in the history of the first execution of a node; null where there is none.</summary>
    public int? OrdinalOf(string path) => History.FirstOrDefault(execution => execution.Key.Path == path)?.Ordinal;

    /// <summary>Whether an effect has been undone, if it is there.</summary>
    public bool IsUndone(string name) => !Effects.ContainsKey(name) || Effects.ContainsKey($"undo-{name}");

    /// <summary>All that is known, for whoever looks for a cause.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"    {Id} {Start?.Key} ({Start?.Kind.Name}), {Status?.Name() ?? "live"}: {Error?.ToString() ?? Result?.ToString() ?? Work}");
        text.AppendLine(CultureInfo.InvariantCulture, $"    effects {string.Join(' ', Effects.Select(effect => $"{effect.Key}*{effect.Value}"))}");
        foreach (var line in Lines)
        {
            var (execution, worker) = (line.Execution, line.Worker);
            text.AppendLine(CultureInfo.InvariantCulture,
                $"    {execution.Ordinal} {execution.Key.Path} #{execution.Key.Iteration} @{execution.Key.Attempt} {execution.Kind} {execution.Status.Name()}"
                + $" {execution.StartedAt:HH:mm:ss.fff} to {execution.EndedAt:HH:mm:ss.fff} by {worker}: {execution.Result?.ToString() ?? execution.Error?.Message}"
                + $" {line.Events}");
        }

        foreach (var child in Children)
            text.AppendLine("    child:").Append(child);
        return text.ToString();
    }
}
