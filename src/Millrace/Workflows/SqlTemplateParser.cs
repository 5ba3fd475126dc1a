using System.Collections.Immutable;
using System.Text;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>
/// Turns the templates of a statement into positional parameters. It follows PostgreSQL's own lexical rules for
/// quotes and comments, because a template inside them would be plain text to the server, and the author is told so.
/// </summary>
internal sealed class SqlTemplateParser(string sql, string pointer, FaultList faults)
{
    private readonly StringBuilder text = new(sql.Length);
    private readonly ImmutableArray<TemplatePath>.Builder parameters = ImmutableArray.CreateBuilder<TemplatePath>();
    private int at;

    /// <summary>Reads a statement; adds faults and returns null where it cannot be right.</summary>
    public static SqlTemplate? Parse(string sql, string pointer, FaultList faults)
    {
        if (!string.IsNullOrWhiteSpace(sql))
            return new SqlTemplateParser(sql, pointer, faults).Parse();
        faults.Add(pointer, "The statement is empty.");
        return null;
    }

    private SqlTemplate? Parse()
    {
        while (at < sql.Length)
        {
            var ok = sql[at] switch
            {
                '{' when Next('{') => Template(),
                '\'' => Skip(EndOfQuote('\'', escapes: IsEscapeString()), "a quoted text; remove the quotes around it"),
                '"' => Skip(EndOfQuote('"', escapes: false), "a quoted name; a name cannot be a parameter"),
                '-' when Next('-') => Skip(EndOf("\n", at + 2), "a comment"),
                '/' when Next('*') => Skip(EndOfComment(), "a comment"),
                '$' when !FollowsName() => Dollar(),
                _ => Copy(at + 1),
            };
            if (!ok)
                return null;
        }

        return new(text.ToString(), parameters.ToImmutable(), sql);
    }

    private bool Next(char c) => at + 1 < sql.Length && sql[at + 1] == c;

    private bool Copy(int end)
    {
        text.Append(sql, at, end - at);
        at = end;
        return true;
    }

    private bool Template()
    {
        if (TemplateParser.EndOfLiteral(sql, at) is { } end)
            return Literal(at, end);
        if (TemplateParser.Path(sql, at, pointer, faults) is not { } found)
            return false;
        parameters.Add(found.Path);
        // Blanks keep the parameter apart from what stands beside it: "limit{{ n }}" must not become a name.
        text.Append(" $").Append(parameters.Count).Append(' ');
        at = found.End;
        return true;
    }

    // Braces in here are text, as they are in an array's literal, unless they are a template for all the author knows.
    private bool Skip(int end, string where)
    {
        while (sql.IndexOf("{{", at, end - at, StringComparison.Ordinal) is >= 0 and var open)
        {
            if (TemplateParser.EndOfLiteral(sql, open) is { } after && after <= end)
            {
                Literal(open, after);
            }
            else if (TemplateParser.IsPath(sql, open, end))
            {
                faults.Add(pointer, $"A template at character {open + 1} stands inside {where}."
                    + " Each template is a bind parameter, written bare: where email = {{ input.email }}."
                    + " Braces that are meant as text are written {{ \"{{\" }}.");
                return false;
            }
            else
            {
                Copy(open + 1);
            }
        }

        return Copy(end);
    }

    private bool Literal(int open, int end)
    {
        Copy(open);
        text.Append("{{");
        at = end;
        return true;
    }

    private bool Dollar()
    {
        var end = at + 1;
        while (end < sql.Length && (char.IsLetterOrDigit(sql[end]) || sql[end] is '_'))
            end++;
        if (end < sql.Length && sql[end] is '$' && !(end > at + 1 && char.IsDigit(sql[at + 1])))
            return Skip(EndOf(sql[at..(end + 1)], end + 1), "a dollar-quoted text");
        if (end == at + 1 || !char.IsDigit(sql[at + 1]))
            return Copy(end);

        faults.Add(pointer, $"\"{sql[at..end]}\" is a positional parameter; write a template such as {{{{ input.id }}}} instead.");
        return false;
    }

    // "$" inside an identifier (tab$1) is part of it.
    private bool FollowsName() => at > 0 && (char.IsLetterOrDigit(sql[at - 1]) || sql[at - 1] is '_' or '$');

    // E'…' knows backslash escapes, '…' does not.
    private bool IsEscapeString() =>
        at > 0 && sql[at - 1] is 'e' or 'E' && (at < 2 || !(char.IsLetterOrDigit(sql[at - 2]) || sql[at - 2] is '_' or '$'));

    private int EndOf(string terminator, int from)
    {
        var found = from > sql.Length ? -1 : sql.IndexOf(terminator, from, StringComparison.Ordinal);
        return found < 0 ? sql.Length : found + terminator.Length;
    }

    private int EndOfQuote(char quote, bool escapes)
    {
        for (var i = at + 1; i < sql.Length; i++)
        {
            if (escapes && sql[i] is '\\')
                i++;
            else if (sql[i] == quote && i + 1 < sql.Length && sql[i + 1] == quote)
                i++;
            else if (sql[i] == quote)
                return i + 1;
        }

        return sql.Length;
    }

    // Block comments nest.
    private int EndOfComment()
    {
        var depth = 0;
        for (var i = at; i + 1 < sql.Length; i++)
        {
            var pair = (sql[i], sql[i + 1]);
            if (pair is not (('/', '*') or ('*', '/')))
                continue;
            depth += pair is ('/', '*') ? 1 : -1;
            i++;
            if (depth == 0)
                return i + 1;
        }

        return sql.Length;
    }
}
