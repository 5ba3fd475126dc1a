using Microsoft.AspNetCore.Http;
using Millrace.Values;

namespace Millrace.Api;

/// <summary>Ends a request with a problem (RFC 9457).</summary>
internal sealed class ProblemException : Exception
{
    public ProblemException(int status, string title, string detail)
        : base(detail) => (Status, Title) = (status, title);

    /// <summary>The body is well-formed, but not right.</summary>
    public ProblemException(IReadOnlyList<Fault> faults)
        : this(
            faults.Any(fault => fault.TooLarge) ? StatusCodes.Status413PayloadTooLarge : StatusCodes.Status422UnprocessableEntity,
            faults.Any(fault => fault.TooLarge) ? "Too large" : "Invalid body",
            faults.Count == 1 ? faults[0].Detail : $"{faults.Count} things are wrong with the body; see errors.") => Faults = faults;

    public int Status { get; }

    public string Title { get; }

    public IReadOnlyList<Fault>? Faults { get; }

    /// <summary>How long the caller should wait before another try, in seconds.</summary>
    public int? RetryAfter { get; init; }

    public static ProblemException BadRequest(string detail) => new(StatusCodes.Status400BadRequest, "Bad request", detail);

    public static ProblemException NotFound(string detail) => new(StatusCodes.Status404NotFound, "Not found", detail);

    public static ProblemException Unavailable() =>
        new(StatusCodes.Status503ServiceUnavailable, "Unavailable", "The store does not answer or is overloaded right now. Nothing is lost that was acknowledged; try again.")
        {
            RetryAfter = 2,
        };
}
