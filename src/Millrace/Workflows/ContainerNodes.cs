using System.Collections.Immutable;

namespace Millrace.Workflows;

/// <summary>Takes one of two branches; its result is the taken branch's last result, or null.</summary>
/// <param name="Condition">What decides.</param>
/// <param name="Then">The nodes for a true condition.</param>
/// <param name="Else">The nodes for a false one; may be empty.</param>
public sealed record IfNode(Condition Condition, ImmutableArray<Node> Then, ImmutableArray<Node> Else) : Node
{
    /// <inheritdoc/>
    public override string Kind => "if";

    /// <inheritdoc/>
    public override IEnumerable<Body> Bodies => Else.IsEmpty ? [new("then", Then)] : [new("then", Then), new("else", Else)];

    internal override IEnumerable<string> Reads => Condition.Reads;
}

/// <summary>A node whose branches run side by side, each with names of its own.</summary>
/// <param name="Branches">The branches; each is a sequence.</param>
public abstract record BranchingNode(ImmutableArray<ImmutableArray<Node>> Branches) : Node
{
    /// <inheritdoc/>
    public override IEnumerable<Body> Bodies => Branches.Select((nodes, index) => new Body($"branch {index + 1}", nodes));
}

/// <summary>
/// Runs its branches to the end of all of them; its result is the array of theirs, in order. The first failure cancels
/// the others and fails the join.
/// </summary>
/// <param name="Branches">The branches.</param>
public sealed record JoinNode(ImmutableArray<ImmutableArray<Node>> Branches) : BranchingNode(Branches)
{
    /// <inheritdoc/>
    public override string Kind => "join";
}

/// <summary>Runs its branches to the end of the first; how that one ends is how the race ends, and the others are cancelled.</summary>
/// <param name="Branches">The branches.</param>
public sealed record RaceNode(ImmutableArray<ImmutableArray<Node>> Branches) : BranchingNode(Branches)
{
    /// <inheritdoc/>
    public override string Kind => "race";
}

/// <summary>Runs its nodes again and again; its result is the last turn's, or the value of the <c>break</c> that ended it.</summary>
/// <param name="Nodes">The nodes of a turn.</param>
/// <param name="While">Asked after each turn, which is the last one where it does not hold; null for always.</param>
/// <param name="Max">The most turns; null for any number.</param>
public sealed record LoopNode(ImmutableArray<Node> Nodes, Condition? While, int? Max) : Node
{
    /// <inheritdoc/>
    public override string Kind => "loop";

    /// <inheritdoc/>
    public override IEnumerable<Body> Bodies => [new("turn", Nodes)];

    internal override IEnumerable<string> Reads => While?.Reads ?? [];
}

/// <summary>
/// Runs its nodes once for each item of a list; its result is the array of their results, in the order of the items.
/// Names that are bound inside belong to the item. The first failure cancels the other items and fails the node.
/// </summary>
/// <param name="Items">The list.</param>
/// <param name="Do">The nodes for one item.</param>
/// <param name="Item">The name that the item is read by.</param>
/// <param name="Concurrency">How many items at once; null for the default.</param>
/// <param name="Spread">Whether each item becomes an instance of its own, which any worker may claim.</param>
public sealed record ForEachNode(ValueTemplate Items, ImmutableArray<Node> Do, string Item, int? Concurrency, bool Spread) : Node
{
    /// <summary>How many items run at once where nothing is said and the items are not spread.</summary>
    public const int DefaultConcurrency = 10;

    /// <inheritdoc/>
    public override string Kind => "forEach";

    /// <inheritdoc/>
    public override IEnumerable<Body> Bodies => [new("do", Do)];

    internal override IEnumerable<string> Reads => Items.Roots;
}

/// <summary>Runs its nodes; a failure among them goes to <c>catch</c>, and <c>finally</c> runs however they end.</summary>
/// <param name="Nodes">The nodes.</param>
/// <param name="Catch">What to do about a failure, which it reads as <c>error</c>; empty to let it pass.</param>
/// <param name="Finally">What to do in any case; may be empty.</param>
public sealed record TryNode(ImmutableArray<Node> Nodes, ImmutableArray<Node> Catch, ImmutableArray<Node> Finally) : Node
{
    /// <inheritdoc/>
    public override string Kind => "try";

    /// <inheritdoc/>
    public override IEnumerable<Body> Bodies
    {
        get
        {
            yield return new("try", Nodes);
            if (!Catch.IsEmpty)
                yield return new("catch", Catch);
            if (!Finally.IsEmpty)
                yield return new("finally", Finally);
        }
    }
}
