using System.Text;
using Millrace.Workflows;

namespace Millrace.Execution;

/// <summary>
/// Fills in an address. What templates bring in stays inside the part of the address in which they stand: a value is
/// percent-encoded (RFC 3986), and in a host it is a piece of a name. A template at the beginning is the address's own
/// beginning and stays as it is, and so does what is marked as raw, behind the host.
/// </summary>
internal static class UrlText
{
    public static string Of(TextTemplate url, TemplateScope templates)
    {
        if (url.Parts is [{ Path: { } only }])
            return templates.Text(only);
        var text = new StringBuilder();
        var hasOwnScheme = url.Parts.FirstOrDefault(part => part.Path is null).Text?.StartsWith("://", StringComparison.Ordinal) is true;
        for (var i = 0; i < url.Parts.Length; i++)
        {
            if (url.Parts[i].Path is not { } path)
                text.Append(url.Parts[i].Text);
            else if (i == 0 && !hasOwnScheme)
                text.Append(templates.Text(path));
            else
                text.Append(Piece(path, templates.Text(path), text.ToString(), EndsHost(url, i)));
        }

        return text.ToString();
    }

    private static string Piece(TemplatePath path, string value, string before, bool endsHost)
    {
        var authority = before.IndexOf("://", StringComparison.Ordinal) + 3;
        if (authority < 3)
            return Uri.EscapeDataString(value);
        var rest = before.AsSpan(authority);
        if (rest.IndexOfAny(@"/\?#") < 0)
            return InHost(path, value, rest[(rest.LastIndexOf('@') + 1)..], endsHost);
        if (path.IsRaw)
            return value;
        // Dots cannot be encoded: encoded or not, such a segment means the one above.
        return value is "." or ".." && rest.IndexOfAny("?#") < 0
            ? throw new TemplateException($"{{{{ {path.Source} }}}} is \"{value}\", which would lead to another path")
            : Uri.EscapeDataString(value);
    }

    // A name may be brought in, or pieces of one, but nothing that ends the host or begins another part; and where the
    // address has written the beginning of a host, its end may not make it a host of another domain.
    private static string InHost(TemplatePath path, string value, ReadOnlySpan<char> before, bool endsHost)
    {
        if (path.IsRaw && before.Length > 0 && value is ['/' or '?' or '#', ..])
            return value;
        foreach (var character in value)
        {
            if (!char.IsLetterOrDigit(character) && character is not ('-' or '_') && (character is not '.' || (before.Length > 0 && endsHost)))
                throw new TemplateException($"{{{{ {path.Source} }}}} would bring \"{character}\" into the address's host");
        }

        return value;
    }

    private static bool EndsHost(TextTemplate url, int index) =>
        index + 1 == url.Parts.Length || url.Parts[index + 1] is { Path: not null } or { Text: ['/' or '\\' or '?' or '#' or ':', ..] };
}
