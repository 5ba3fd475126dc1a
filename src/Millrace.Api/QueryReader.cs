using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Millrace.Values;

namespace Millrace.Api;

/// <summary>Reads route values, query parameters and headers; what is wrong there is a 400.</summary>
internal static class QueryReader
{
    /// <summary>The longest wait a caller can ask for: hosts in front of us cut answers off after 230 s.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(200);

    public static Guid Id(HttpRequest request) =>
        Guid.TryParse(Route(request, "id"), out var id) ? id : throw ProblemException.NotFound("There is no such instance.");

    public static string Route(HttpRequest request, string name) => request.RouteValues[name] as string ?? "";

    public static string? Text(HttpRequest request, string name) =>
        request.Query.TryGetValue(name, out var values) && values.ToString() is { Length: > 0 } text ? text : null;

    public static int Limit(HttpRequest request, int fallback = 100)
    {
        if (Text(request, "limit") is not { } text)
            return fallback;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= 1000
            ? limit
            : throw ProblemException.BadRequest("\"limit\" is a whole number from 1 to 1000.");
    }

    public static TimeSpan? Wait(HttpRequest request)
    {
        if (Text(request, "wait") is not { } text)
            return null;
        return Duration.TryParse(text, out var wait)
            ? Shorter(wait)
            : throw ProblemException.BadRequest($"\"wait\" is {Duration.Expected}.");
    }

    /// <summary>The wait of a "Prefer: wait=10" header (RFC 7240), in seconds; what cannot be read there is not a preference.</summary>
    public static TimeSpan? PreferredWait(HttpRequest request)
    {
        if (request.Headers["Prefer"] is not { Count: > 0 } preferences)
            return null;
        foreach (var preference in preferences.SelectMany(value => (value ?? "").Split([',', ';'], StringSplitOptions.TrimEntries)))
        {
            if (preference.StartsWith("wait=", StringComparison.OrdinalIgnoreCase)
                && int.TryParse(preference.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
                return Shorter(TimeSpan.FromSeconds(seconds));
        }

        return null;
    }

    public static string? IdempotencyKey(HttpRequest request)
    {
        if (!request.Headers.TryGetValue("Idempotency-Key", out var values))
            return null;
        var key = values.ToString();
        return key.Length is >= 1 and <= 255 && key.All(c => c is >= ' ' and <= '~')
            ? key
            : throw ProblemException.BadRequest("An Idempotency-Key has 1 to 255 printable ASCII characters.");
    }

    /// <summary>A cursor is what the next page begins after, made opaque so that nobody builds on it.</summary>
    public static string Cursor(string after) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(after));

    public static string? After(HttpRequest request)
    {
        if (Text(request, "cursor") is not { } cursor)
            return null;
        try
        {
            return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor));
        }
        catch (FormatException)
        {
            throw BadCursor();
        }
    }

    public static int? AfterNumber(HttpRequest request) => After(request) switch
    {
        null => null,
        { } text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) => number,
        _ => throw BadCursor(),
    };

    public static ProblemException BadCursor() => ProblemException.BadRequest("\"cursor\" is not one that this call has given out.");

    private static TimeSpan Shorter(TimeSpan wait) => wait < LongestWait ? wait : LongestWait;
}
