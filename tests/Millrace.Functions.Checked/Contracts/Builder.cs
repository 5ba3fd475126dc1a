// What the app's start uses of the worker's builder and of the telemetry packages. It never ships.
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;

namespace Microsoft.Azure.Functions.Worker.Builder
{
    /// <summary>Begins an app.</summary>
    public static class FunctionsApplication
    {
        /// <summary>A builder with the worker's defaults.</summary>
        public static FunctionsApplicationBuilder CreateBuilder(string[] args) => new(args);
    }

    /// <summary>Puts an app together.</summary>
    public sealed class FunctionsApplicationBuilder(string[] args)
    {
        private readonly HostApplicationBuilder inner = new(args);

        /// <summary>The settings.</summary>
        public ConfigurationManager Configuration => inner.Configuration;

        /// <summary>The services.</summary>
        public IServiceCollection Services => inner.Services;

        /// <summary>The app.</summary>
        public IHost Build() => inner.Build();
    }

    /// <summary>HTTP by ASP.NET Core.</summary>
    public static class FunctionsApplicationBuilderAspNetCoreExtensions
    {
        /// <summary>Lets functions take and return what ASP.NET Core does.</summary>
        public static FunctionsApplicationBuilder ConfigureFunctionsWebApplication(this FunctionsApplicationBuilder builder) => builder;
    }
}

namespace Microsoft.Azure.Functions.Worker.OpenTelemetry
{
    /// <summary>Telemetry of the worker.</summary>
    public static class FunctionsOpenTelemetryExtensions
    {
        /// <summary>Adds the worker's own.</summary>
        public static IOpenTelemetryBuilder UseFunctionsWorkerDefaults(this IOpenTelemetryBuilder builder) => builder;
    }
}

namespace Azure.Monitor.OpenTelemetry.Exporter
{
    /// <summary>Telemetry to Application Insights.</summary>
    public static class AzureMonitorExporterExtensions
    {
        /// <summary>Sends all of it.</summary>
        public static IOpenTelemetryBuilder UseAzureMonitorExporter(this IOpenTelemetryBuilder builder) => builder;
    }
}

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>Begins telemetry.</summary>
    public static class OpenTelemetryServicesExtensions
    {
        /// <summary>Telemetry that nobody collects.</summary>
        public static IOpenTelemetryBuilder AddOpenTelemetry(this IServiceCollection services) => new Uncollected(services);

        private sealed record Uncollected(IServiceCollection Services) : IOpenTelemetryBuilder;
    }
}
