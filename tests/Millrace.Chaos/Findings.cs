using System.Collections;

namespace Millrace.Chaos;

/// <summary>The ways in which a promise can be broken.</summary>
internal enum Finding
{
    Start,
    End,
    Stuck,
    Missing,
    Doubled,
    Result,
    Request,
    History,
    Answer,
    Server,
}

/// <summary>What was found to be wrong, in full.</summary>
internal sealed class Findings : IEnumerable<(Finding Finding, string What, Story? Story)>
{
    private readonly List<(Finding, string, Story?)> all = [];

    public void Add(Finding finding, string what, Story? story = null) => all.Add((finding, what, story));

    public int Count(Finding finding) => this.Count(item => item.Finding == finding);

    public IEnumerator<(Finding Finding, string What, Story? Story)> GetEnumerator() => all.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
