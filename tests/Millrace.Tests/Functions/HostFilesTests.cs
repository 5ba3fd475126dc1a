using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Millrace.Api;
using Millrace.Configuration;
using Millrace.Server;
using Millrace.Tests.Support;

namespace Millrace.Tests.Functions;

/// <summary>What the host of functions reads.</summary>
public sealed class HostFilesTests
{
    // The host's documented settings, as far as they are used: https://learn.microsoft.com/azure/azure-functions/functions-host-json
    private static readonly Dictionary<string, JsonValueKind> Documented = new()
    {
        ["version"] = JsonValueKind.String,
        ["telemetryMode"] = JsonValueKind.String,
        ["functionTimeout"] = JsonValueKind.String,
        ["extensions.http.routePrefix"] = JsonValueKind.String,
        ["extensions.http.maxConcurrentRequests"] = JsonValueKind.Number,
        ["extensions.queues.batchSize"] = JsonValueKind.Number,
        ["extensions.queues.newBatchThreshold"] = JsonValueKind.Number,
        ["extensions.queues.maxPollingInterval"] = JsonValueKind.String,
        ["extensions.queues.visibilityTimeout"] = JsonValueKind.String,
        ["extensions.queues.maxDequeueCount"] = JsonValueKind.Number,
        ["extensions.queues.messageEncoding"] = JsonValueKind.String,
    };

    [Fact]
    public void The_hosts_settings_have_their_documented_names_and_kinds()
    {
        var found = Leaves(JsonElement.Parse(Repository.Read("host.json")), "").Where(leaf => !leaf.Path.StartsWith("logging.logLevel.", StringComparison.Ordinal)).ToList();
        Assert.Equal(Documented.Select(known => (known.Key, known.Value)).Order(), found.Select(leaf => (leaf.Path, leaf.Value.ValueKind)).Order());
    }

    [Fact]
    public void The_hosts_settings_say_what_the_app_relies_on()
    {
        var host = JsonElement.Parse(Repository.Read("host.json"));
        var (extensions, pump) = (host.GetProperty("extensions"), new PumpOptions());
        Assert.Equal("2.0", host.GetProperty("version").GetString());
        Assert.Equal(ApiRoutes.Base, $"/{extensions.GetProperty("http").GetProperty("routePrefix").GetString()}/v1");
        // Each message is a whole drain, and the number of messages that a process takes is what the host scales by.
        var queues = extensions.GetProperty("queues");
        Assert.Equal((1, 0), (queues.GetProperty("batchSize").GetInt32(), queues.GetProperty("newBatchThreshold").GetInt32()));
        Assert.Equal("base64", queues.GetProperty("messageEncoding").GetString());
        // A drain, its handing back and its waiting for the store end before the host ends them.
        Assert.True(TimeSpan.Parse(host.GetProperty("functionTimeout").GetString()!, System.Globalization.CultureInfo.InvariantCulture) > pump.DrainBudget + TimeSpan.FromSeconds(60));
        // The longest wait of a call stays below what the platform allows an answer.
        Assert.True(pump.DrainBudget < TimeSpan.FromSeconds(230));
    }

    [Fact]
    public void The_sample_settings_are_settings_and_those_that_the_host_reads_are_there()
    {
        var values = JsonElement.Parse(Repository.Read("local.settings.sample.json")).GetProperty("Values").EnumerateObject().ToDictionary(value => value.Name, value => value.Value.GetString()!);
        Assert.Equal("dotnet-isolated", values["FUNCTIONS_WORKER_RUNTIME"]);
        AppSettings.Check(values);
        foreach (var name in new[] { "Millrace__PumpSchedule", "Millrace__MaintenanceSchedule", "Millrace__Wake__Queue", "AzureWebJobsStorage" })
            Assert.Contains(name, values.Keys);
        var defaults = new MillraceOptions();
        Assert.Equal((defaults.PumpSchedule, defaults.MaintenanceSchedule, defaults.Wake.Queue), (values["Millrace__PumpSchedule"], values["Millrace__MaintenanceSchedule"], values["Millrace__Wake__Queue"]));
    }

    [Fact]
    public void A_timer_beyond_the_schedules_reach_has_a_token_before_it_is_due()
    {
        var defaults = new MillraceOptions();
        var schedule = NCrontab.CrontabSchedule.Parse(defaults.PumpSchedule, new() { IncludingSeconds = true });
        var first = schedule.GetNextOccurrence(DateTime.UnixEpoch);
        Assert.True(schedule.GetNextOccurrence(first) - first < defaults.Wake.Horizon);
        Assert.NotNull(NCrontab.CrontabSchedule.TryParse(defaults.MaintenanceSchedule, new() { IncludingSeconds = true }));
        Assert.True(defaults.Wake.Linger >= defaults.Wake.Spacing);
    }

    private static IEnumerable<(string Path, JsonElement Value)> Leaves(JsonElement element, string path) => element.ValueKind is JsonValueKind.Object
        ? element.EnumerateObject().SelectMany(property => Leaves(property.Value, path.Length == 0 ? property.Name : $"{path}.{property.Name}"))
        : [(path, element)];
}

/// <summary>Settings as an app has them: names with double underscores.</summary>
internal static class AppSettings
{
    /// <summary>Each of ours must be an option, with a value that it can have.</summary>
    public static void Check(IEnumerable<KeyValuePair<string, string>> values)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(values.Where(value => value.Key.StartsWith("Millrace__", StringComparison.Ordinal))
                .Select(value => new KeyValuePair<string, string?>(value.Key.Replace("__", ":", StringComparison.Ordinal), value.Value)))
            .Build();
        SettingsReader.Read(configuration);
    }
}
