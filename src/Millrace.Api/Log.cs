using Microsoft.Extensions.Logging;

namespace Millrace.Api;

/// <summary>Every message that the API logs.</summary>
internal static partial class Log
{
    [LoggerMessage(101, LogLevel.Debug, "The caller of {Path} is gone ({Message})")]
    public static partial void CallerGone(this ILogger log, string path, string message);

    [LoggerMessage(102, LogLevel.Warning, "{Path} was answered with 503: {Message}")]
    public static partial void StoreUnavailable(this ILogger log, string path, string message);

    [LoggerMessage(103, LogLevel.Error, "{Method} {Path} failed")]
    public static partial void CallBroke(this ILogger log, string method, string path, Exception exception);
}
