namespace Millrace.Values;

/// <summary>One thing wrong with a document.</summary>
/// <param name="Pointer">Where: a JSON Pointer (RFC 6901) into the document; empty for the whole of it.</param>
/// <param name="Detail">What is wrong and what would be right, in a sentence.</param>
public sealed record Fault(string Pointer, string Detail);

/// <summary>Gathers faults, so that an author sees all of them at once.</summary>
internal sealed class FaultList
{
    // Beyond this a document is noise, and so would be the answer.
    private const int Most = 1000;
    private readonly List<Fault> faults = [];

    public bool Any => faults.Count > 0;

    public IReadOnlyList<Fault> All => faults;

    public void Add(string pointer, string detail)
    {
        if (faults.Count < Most)
            faults.Add(new(pointer, detail));
    }

    public void Add(IEnumerable<Fault> more)
    {
        foreach (var fault in more)
            Add(fault.Pointer, fault.Detail);
    }
}
