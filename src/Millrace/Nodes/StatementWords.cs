namespace Millrace.Nodes;

/// <summary>What a statement is, by its first words.</summary>
internal static class StatementWords
{
    /// <summary>
    /// Whether it would begin or end a transaction. Each node has one of its own, with which its receipt is committed: a
    /// statement that ended it would take the receipt from its effects, and one that began another would do nothing.
    /// </summary>
    public static bool ControlsTransactions(ReadOnlySpan<char> statement)
    {
        var rest = statement;
        var first = Next(ref rest);
        return Is(first, "begin") || Is(first, "commit") || Is(first, "end") || Is(first, "rollback") || Is(first, "abort")
            || Is(first, "savepoint") || Is(first, "release")
            || (Is(first, "start") || Is(first, "prepare")) && Is(Next(ref rest), "transaction");
    }

    /// <summary>
    /// Whether it may leave something that no reset takes back: code that it has loaded, or whatever a block of code or an
    /// administrator's command does. Queries, changes, definitions and settings are known not to.
    /// </summary>
    public static bool CannotBeTakenBack(ReadOnlySpan<char> statement)
    {
        var first = Next(ref statement);
        foreach (var word in Plain)
        {
            if (Is(first, word))
                return false;
        }

        return true;
    }

    /// <summary>Whether it is a procedure or a block of code, which may commit where no transaction is around it.</summary>
    public static bool MayCommit(ReadOnlySpan<char> statement) => Next(ref statement) is var first && (Is(first, "call") || Is(first, "do"));

    private static readonly string[] Plain =
    [
        "select", "with", "insert", "update", "delete", "merge", "values", "table", "explain", "call",
        "create", "alter", "drop", "truncate", "comment", "grant", "revoke", "refresh", "analyze", "vacuum", "cluster", "reindex", "copy",
        "set", "reset", "show", "lock", "declare", "fetch", "move", "close", "listen", "notify", "unlisten",
        "prepare", "execute", "deallocate", "discard",
    ];

    private static bool Is(ReadOnlySpan<char> word, string key) => word.Equals(key, StringComparison.OrdinalIgnoreCase);

    // The next word, behind blanks, comments and parentheses.
    private static ReadOnlySpan<char> Next(ref ReadOnlySpan<char> text)
    {
        while (text.Length > 0 && !IsLetter(text[0]))
            text = text[Skipped(text)..];
        var end = 0;
        while (end < text.Length && IsLetter(text[end]))
            end++;
        var word = text[..end];
        text = text[end..];
        return word;
    }

    private static int Skipped(ReadOnlySpan<char> text)
    {
        if (text.StartsWith("--"))
            return text.IndexOfAny('\n', '\r') is var end and >= 0 ? end : text.Length;
        if (!text.StartsWith("/*"))
            return char.IsWhiteSpace(text[0]) || text[0] is '(' or ';' ? 1 : text.Length;
        var depth = 0;
        for (var i = 0; i + 1 < text.Length; i++)
        {
            // Comments nest.
            depth += text[i..].StartsWith("/*") ? 1 : text[i..].StartsWith("*/") ? -1 : 0;
            i += text[i..].StartsWith("/*") || text[i..].StartsWith("*/") ? 1 : 0;
            if (depth == 0)
                return i + 1;
        }

        return text.Length;
    }

    private static bool IsLetter(char c) => char.IsAsciiLetter(c) || c is '_';
}
