namespace Millrace.Values;

/// <summary>One thing wrong with a document.</summary>
/// <param name="Pointer">Where: a JSON Pointer (RFC 6901) into the document; empty for the whole of it.</param>
/// <param name="Detail">What is wrong and what would be right, in a sentence.</param>
/// <param name="TooLarge">Whether the place is too large, rather than wrong.</param>
public sealed record Fault(string Pointer, string Detail, bool TooLarge = false);

/// <summary>Gathers faults, so that an author sees all of them at once.</summary>
public sealed class FaultList
{
    // Beyond this a document is noise, and so would be the answer.
    private const int Most = 1000;
    private readonly List<Fault> faults = [];

    /// <summary>Whether there is any.</summary>
    public bool Any => faults.Count > 0;

    /// <summary>All of them, in the order they were found.</summary>
    public IReadOnlyList<Fault> All => faults;

    /// <summary>Adds a fault.</summary>
    public void Add(string pointer, string detail, bool tooLarge = false)
    {
        if (faults.Count < Most)
            faults.Add(new(pointer, detail, tooLarge));
    }

    /// <summary>Adds the faults of a part of the document.</summary>
    public void Add(string pointer, IEnumerable<Fault> more)
    {
        foreach (var fault in more)
            Add(pointer + fault.Pointer, fault.Detail, fault.TooLarge);
    }
}
