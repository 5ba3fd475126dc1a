using System.Globalization;
using Microsoft.AspNetCore.Http;
using Millrace.Pump;
using Millrace.Store;

namespace Millrace.Api.Handlers;

/// <summary>Calls about the pump.</summary>
public sealed class PumpHandlers(Drain drain, PumpLag lag)
{
    /// <summary>POST /admin/pump: runs what is ready, here and now. Whatever else drives pumps may have failed.</summary>
    public async Task<IResult> RunAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var report = await drain.RunAsync(linger: TimeSpan.Zero, cancel);
        return Answers.Json(new(report.Claimed, report.MoreIsReady, report.NextDue?.TotalSeconds), ApiJson.Relaxed.PumpResponse);
    }

    /// <summary>GET /metrics: Prometheus' text format, version 0.0.4.</summary>
    public async Task<IResult> MetricsAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var seconds = (await lag.AskAsync(cancel)).TotalSeconds;
        return Answers.Text(string.Create(CultureInfo.InvariantCulture, $"""
            # HELP millrace_pump_lag_seconds How long the oldest ready instance has been waiting to be claimed.
            # TYPE millrace_pump_lag_seconds gauge
            millrace_pump_lag_seconds {seconds:0.###}

            """), "text/plain; version=0.0.4; charset=utf-8");
    }
}
