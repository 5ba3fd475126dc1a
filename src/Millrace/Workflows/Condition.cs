using System.Collections.Immutable;

namespace Millrace.Workflows;

/// <summary>What an <c>if</c> or the <c>while</c> of a loop asks. Each form is a record below; the hierarchy is closed.</summary>
public abstract record Condition
{
    private protected Condition()
    {
    }

    /// <summary>Where the condition stands in its definition: a JSON Pointer.</summary>
    public required string Path { get; init; }

    /// <summary>The names that it reads.</summary>
    internal abstract IEnumerable<string> Reads { get; }
}

/// <summary>The first column of a statement's first row, by truthiness; no row is false.</summary>
/// <param name="Node">The statement, run as a node of its own under the condition's path.</param>
public sealed record SqlCondition(SqlNode Node) : Condition
{
    internal override IEnumerable<string> Reads => Node.Reads;
}

/// <summary>Whether a named result has rows.</summary>
/// <param name="Name">The result's name.</param>
public sealed record RowsCondition(string Name) : Condition
{
    internal override IEnumerable<string> Reads => [Name];
}

/// <summary>A template's value, by truthiness.</summary>
/// <param name="Value">The template.</param>
public sealed record TruthCondition(ValueTemplate Value) : Condition
{
    internal override IEnumerable<string> Reads => Value.Roots;
}

/// <summary>Compares two values.</summary>
/// <param name="Comparison">How.</param>
/// <param name="Left">The first value.</param>
/// <param name="Right">The second value.</param>
public sealed record CompareCondition(Comparison Comparison, ValueTemplate Left, ValueTemplate Right) : Condition
{
    internal override IEnumerable<string> Reads => [.. Left.Roots, .. Right.Roots];
}

/// <summary>Whether all conditions hold; the first that does not ends the question.</summary>
/// <param name="Conditions">The conditions, in order.</param>
public sealed record AllCondition(ImmutableArray<Condition> Conditions) : Condition
{
    internal override IEnumerable<string> Reads => Conditions.SelectMany(condition => condition.Reads);
}

/// <summary>Whether any condition holds; the first that does ends the question.</summary>
/// <param name="Conditions">The conditions, in order.</param>
public sealed record AnyCondition(ImmutableArray<Condition> Conditions) : Condition
{
    internal override IEnumerable<string> Reads => Conditions.SelectMany(condition => condition.Reads);
}

/// <summary>Whether a condition does not hold.</summary>
/// <param name="Inner">The condition.</param>
public sealed record NotCondition(Condition Inner) : Condition
{
    internal override IEnumerable<string> Reads => Inner.Reads;
}

/// <summary>How two values are compared.</summary>
public enum Comparison
{
    /// <summary>Equal as JSON: numbers by value, objects whatever the order of their members.</summary>
    Equals,

    /// <summary>Not equal.</summary>
    NotEquals,

    /// <summary>Numbers by value, texts by code point; anything else fails the node.</summary>
    GreaterThan,

    /// <summary>As <see cref="GreaterThan"/>, the other way.</summary>
    LessThan,

    /// <summary>A text contains a text, an array an element, an object a member of that name.</summary>
    Contains,
}
