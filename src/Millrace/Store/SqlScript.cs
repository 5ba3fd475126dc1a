namespace Millrace.Store;

/// <summary>Cuts a script of ours into its statements.</summary>
internal static class SqlScript
{
    /// <summary>
    /// A statement ends with a line that ends in a semicolon. That is a rule for our own scripts, which have no function
    /// bodies, and not a parser of SQL.
    /// </summary>
    public static IEnumerable<string> Split(string script)
    {
        var lines = new List<string>();
        foreach (var line in script.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.TrimStart().StartsWith("--", StringComparison.Ordinal) || string.IsNullOrWhiteSpace(line))
                continue;
            lines.Add(line);
            if (!line.TrimEnd().EndsWith(';'))
                continue;
            yield return string.Join('\n', lines).TrimEnd().TrimEnd(';');
            lines.Clear();
        }

        if (lines.Count > 0)
            throw new InvalidOperationException($"A script does not end its last statement: {lines[0]}");
    }
}
