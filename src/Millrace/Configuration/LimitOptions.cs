using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>What is refused for its size (<c>Millrace:Limits</c>). Sizes are bytes of UTF-8.</summary>
public sealed class LimitOptions
{
    /// <summary>Nodes in a workflow, nested ones included.</summary>
    [Range(1, 1_000_000)]
    public int Nodes { get; set; } = 10_000;

    /// <summary>How deep nodes and conditions may nest.</summary>
    [Range(1, 256)]
    public int Levels { get; set; } = 256;

    /// <summary>Branches of one join or race.</summary>
    [Range(1, 100_000)]
    public int Branches { get; set; } = 1_000;

    /// <summary>
    /// Items of one <c>forEach</c> with <c>spread</c>. They are started, and told to end, in one transaction, and everybody's
    /// checkpoints stand still for a part of that time.
    /// </summary>
    [Range(1, 1_000_000)]
    public int SpreadItems { get; set; } = 50_000;

    /// <summary>How deep workflows may start each other.</summary>
    [Range(1, 1_000)]
    public int RunDepth { get; set; } = 64;

    /// <summary>The size of a definition, without insignificant white space.</summary>
    [Range(1, 64 << 20)]
    public int DefinitionBytes { get; set; } = 1 << 20;

    /// <summary>The size of an instance's input, and of its variables.</summary>
    [Range(1, 64 << 20)]
    public int InputBytes { get; set; } = 256 << 10;

    /// <summary>The size of a node's result.</summary>
    [Range(1024, 64 << 20)]
    public int ResultBytes { get; set; } = 1 << 20;

    /// <summary>How many nodes of one instance may have completed that a <c>compensate</c> would undo.</summary>
    [Range(1, 1_000_000)]
    public int Compensations { get; set; } = 10_000;

    /// <summary>The size of what the compensations of one instance read.</summary>
    [Range(1 << 10, 256 << 20)]
    public int CompensationBytes { get; set; } = 64 << 20;

    /// <summary>The size of a signal's data.</summary>
    [Range(1, 64 << 20)]
    public int SignalBytes { get; set; } = 256 << 10;

    /// <summary>How many signals of one instance may wait to be received.</summary>
    [Range(1, 1_000_000)]
    public int WaitingSignals { get; set; } = 1_000;

    /// <summary>What the signals of one instance that wait to be received may take together; a single one may take more.</summary>
    [Range(1, 256 << 20)]
    public int WaitingSignalBytes { get; set; } = 16 << 20;

    /// <summary>
    /// What an instance may keep: its named results, the signals that wait, and where it stands. One that keeps more fails
    /// with <c>state_too_large</c>, without its compensations, at its next checkpoint.
    /// </summary>
    [Range(1 << 20, 512 << 20)]
    public int StateBytes { get; set; } = 64 << 20;

    /// <summary>What the bodies of all starts that are being taken in may hold at once; more are refused with 503.</summary>
    [Range(1 << 20, 1L << 40)]
    public long RequestBytes { get; set; } = 256L << 20;

    /// <summary>Items in one batch of starts.</summary>
    [Range(1, 100_000)]
    public int BatchItems { get; set; } = 10_000;

    /// <summary>The size of the body of a batch of starts.</summary>
    [Range(1 << 10, 1 << 30)]
    public int BatchBytes { get; set; } = 64 << 20;
}
