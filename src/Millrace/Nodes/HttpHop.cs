using System.Net;
using Millrace.Execution;

namespace Millrace.Nodes;

/// <summary>A redirect that is not followed.</summary>
internal sealed class RedirectException(string message) : Exception(message);

/// <summary>One of the requests that redirects lead through: where it goes, and what of the node goes along.</summary>
/// <param name="Address">Where.</param>
/// <param name="Method">The method.</param>
/// <param name="HasBody">Whether the node's body goes along.</param>
/// <param name="IsOwnOrigin">
/// Whether all so far went to the origin that the node names. What the node says for that one, others must not see: tokens
/// and cookies least of all, and a key under which an effect is known is one, too.
/// </param>
internal sealed record HttpHop(Uri Address, string Method, bool HasBody, bool IsOwnOrigin)
{
    public static HttpHop First(ExecuteHttp command) =>
        new(new(command.Url), command.Http.Method, command.Body is not null || command.Parts is not [], IsOwnOrigin: true);

    /// <summary>Where a response redirects to; null where it does not.</summary>
    public static string? LocationOf(HttpResponseMessage response) =>
        (int)response.StatusCode is 301 or 302 or 303 or 307 or 308 && response.Headers.NonValidated.TryGetValues("Location", out var values)
            ? values.First()
            : null;

    /// <summary>The request that follows a redirect (RFC 9110 §15.4, with the methods as browsers change them).</summary>
    /// <exception cref="RedirectException">It must not be followed.</exception>
    public HttpHop Follow(HttpStatusCode status, string location)
    {
        var target = Resolve(location);
        var isSameOrigin = OriginOf(target) == OriginOf(Address);
        var becomesGet = status switch
        {
            HttpStatusCode.SeeOther => Method is not ("GET" or "HEAD"),
            HttpStatusCode.Moved or HttpStatusCode.Found => Method is "POST",
            _ => false,
        };
        if (HasBody && !becomesGet && !isSameOrigin)
            throw new RedirectException($"{Address.Authority} redirects to {target.Authority} with {(int)status}, but a body does not go along to another origin");
        return new(target, becomesGet ? "GET" : Method, HasBody && !becomesGet, IsOwnOrigin && isSameOrigin);
    }

    /// <summary>Scheme, host and port (RFC 6454); a user's name in an address is no part of that.</summary>
    public static string OriginOf(Uri address) => address.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped);

    private Uri Resolve(string location)
    {
        // A path alone would be taken for a file's on Unix.
        var kind = location.StartsWith('/') ? UriKind.Relative : UriKind.RelativeOrAbsolute;
        if (!Uri.TryCreate(location, kind, out var given) || !Uri.TryCreate(Address, given, out var target)
            || target.Scheme is not ("http" or "https") || target.Host.Length == 0)
            throw new RedirectException($"{Address.Authority} redirects to what is no http or https address");
        if (Address.Scheme is "https" && target.Scheme is "http")
            throw new RedirectException($"{Address.Authority} redirects from https to http, to {target.Authority}, which is not followed");
        return target;
    }
}
