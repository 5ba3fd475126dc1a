namespace Millrace.Workflows;

/// <summary>Where a node stands, as far as that decides what it may be.</summary>
/// <param name="Level">How deep it is nested, from 1.</param>
/// <param name="InLoop">Whether a <c>break</c> here has a loop to end.</param>
/// <param name="Barrier">What a <c>return</c> here would have to leave and cannot; null for nothing.</param>
/// <param name="Compensating">Whether it is part of a compensation.</param>
internal readonly record struct Place(int Level, bool InLoop = false, string? Barrier = null, bool Compensating = false)
{
    public static Place Root { get; } = new(1);

    public Place Deeper => this with { Level = Level + 1 };

    public Place Loop => Deeper with { InLoop = true };

    public Place Behind(string barrier) => Deeper with { InLoop = false, Barrier = barrier };
}
