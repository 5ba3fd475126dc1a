using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace;
using Millrace.Api;
using Millrace.Azure;
using Millrace.Functions;
using Millrace.Store;
using Millrace.Waking;
using OpenTelemetry;

var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();
builder.Services.AddMillrace(builder.Configuration);
builder.Services.AddMillraceApi();
builder.Services.AddMillraceWaking();
builder.Services.AddEntraLogin(builder.Configuration);
builder.Services.AddSingleton<IWakeSender, StorageWakeSender>();

var telemetry = builder.Services.AddOpenTelemetry()
    .UseFunctionsWorkerDefaults()
    .WithMetrics(metrics => metrics.AddMeter(PumpLag.MeterName));
if (!string.IsNullOrEmpty(builder.Configuration["APPLICATIONINSIGHTS_CONNECTION_STRING"]))
    telemetry.UseAzureMonitorExporter();

using var app = builder.Build();

// The first start makes the schema; each later one finds it made. The host gives a worker thirty seconds to begin.
var limit = TimeSpan.FromSeconds(25);
try
{
    await app.Services.GetRequiredService<StorePreparation>().PrepareAsync(Console.WriteLine, CancellationToken.None).WaitAsync(limit);
}
catch (TimeoutException)
{
    await Console.Error.WriteLineAsync($"The store was not ready within {limit.TotalSeconds:N0} s, which is all a worker has. The lines before this one say what it waited for;"
        + " Millrace:ConnectionString says where it is.");
    return 1;
}

await app.RunAsync();
return 0;
