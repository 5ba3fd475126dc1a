using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>
/// The names that a node can read: those bound in its own sequence, over those of the sequences around it. A branch sees
/// what was bound before it began and what it binds itself, but nothing of its siblings.
/// </summary>
/// <param name="Outer">The names around; null at the top.</param>
/// <param name="Own">The names bound here.</param>
internal sealed record NameScope(NameScope? Outer, ImmutableDictionary<string, Json> Own)
{
    public bool TryGetValue(string name, [NotNullWhen(true)] out Json? value)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope.Own.TryGetValue(name, out value))
                return true;
        }

        value = null;
        return false;
    }

    // Removed first, because a dictionary keeps the value that it has where the new one is equal, and parses both to see.
    public NameScope With(string name, Json value) => this with { Own = Own.Remove(name).Add(name, value) };

    public NameScope With(IEnumerable<KeyValuePair<string, Json>> values) => this with { Own = Own.RemoveRange(values.Select(item => item.Key)).AddRange(values) };

    /// <summary>Some of the names, with their values; those that are not bound are left out.</summary>
    public ImmutableDictionary<string, Json> Take(IEnumerable<string> wanted)
    {
        var taken = ImmutableDictionary.CreateBuilder<string, Json>();
        foreach (var name in wanted)
        {
            if (TryGetValue(name, out var value))
                taken[name] = value;
        }

        return taken.ToImmutable();
    }
}
