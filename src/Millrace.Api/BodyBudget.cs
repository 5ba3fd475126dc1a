using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Api;

/// <summary>
/// How much of the bodies of starts this process holds at once (<see cref="LimitOptions.RequestBytes"/>). A flood is turned
/// away with 503 before its bodies are read, so that memory, and every other call, stays as it was.
/// </summary>
public sealed class BodyBudget(IOptions<MillraceOptions> options)
{
    private readonly long all = options.Value.Limits.RequestBytes;
    private long taken;

    /// <summary>Takes what a request's body may need, until it is given back.</summary>
    /// <param name="request">The request.</param>
    /// <param name="maxBytes">What a body of no declared length may have.</param>
    /// <exception cref="StoreBusyException">There is not enough left.</exception>
    internal Share Take(HttpRequest request, int maxBytes)
    {
        // One that is too large is refused for that, by whoever reads it.
        var bytes = Math.Min(request.ContentLength ?? maxBytes, maxBytes);
        if (Interlocked.Add(ref taken, bytes) <= all || bytes >= Interlocked.Read(ref taken))
            return new(this, bytes);
        Interlocked.Add(ref taken, -bytes);
        throw new StoreBusyException();
    }

    /// <summary>What one request has taken.</summary>
    internal sealed class Share(BodyBudget budget, long bytes) : IDisposable
    {
        public void Dispose() => Interlocked.Add(ref budget.taken, -bytes);
    }
}
