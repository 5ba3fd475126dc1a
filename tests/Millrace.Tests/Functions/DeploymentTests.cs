using System.Text.Json;
using System.Text.RegularExpressions;
using Millrace.Configuration;
using Millrace.Sizing;
using Millrace.Tests.Support;

namespace Millrace.Tests.Functions;

/// <summary>The deployment's form: there is no compiler for it here, so names, parameters and figures are held against each other and against the code.</summary>
public sealed partial class DeploymentTests
{
    private static readonly string Main = Repository.Read("infra/main.bicep");

    [Fact]
    public void Each_module_is_there_and_gets_exactly_its_parameters()
    {
        var modules = Module().Matches(Main);
        Assert.Equal(
            Repository.Files("infra/app", "*.bicep").Select(Path.GetFileName),
            modules.Select(module => module.Groups["file"].Value).Order(StringComparer.Ordinal));
        foreach (Match module in modules)
        {
            var text = Repository.Read($"infra/app/{module.Groups["file"].Value}");
            var given = Assignment().Matches(Block(Main[module.Index..], "params:")).Select(match => match.Groups[1].Value);
            Assert.Equal((module.Groups["file"].Value, string.Join(' ', Parameters(text).Order())), (module.Groups["file"].Value, string.Join(' ', given.Order())));
        }
    }

    [Fact]
    public void Each_output_that_is_used_is_there()
    {
        foreach (Match use in OutputUse().Matches(Main))
        {
            var file = Module().Matches(Main).Single(module => module.Groups["name"].Value == use.Groups[1].Value).Groups["file"].Value;
            Assert.Matches($@"(?m)^output {use.Groups[2].Value} ", Repository.Read($"infra/app/{file}"));
        }
    }

    [Fact]
    public void Everything_that_is_declared_is_used_and_brackets_are_closed()
    {
        foreach (var path in Repository.Files("infra", "*.bicep"))
        {
            var text = Comment().Replace(File.ReadAllText(path), "");
            foreach (var name in Parameters(text).Concat(Variable().Matches(text).Select(match => match.Groups[1].Value)))
                Assert.True(Regex.Count(text, $@"\b{name}\b") > 1, $"{Path.GetFileName(path)}: {name} is not used");
            foreach (var (open, close) in new[] { ('{', '}'), ('[', ']'), ('(', ')') })
                Assert.Equal((path, open, text.Count(letter => letter == open)), (path, open, text.Count(letter => letter == close)));
            Assert.True(text.Replace("\\'", "", StringComparison.Ordinal).Count(letter => letter == '\'') % 2 == 0, $"{Path.GetFileName(path)}: a text is not closed");
        }
    }

    [Fact]
    public void The_parameters_file_names_parameters_and_all_that_have_no_default()
    {
        var given = JsonElement.Parse(Repository.Read("infra/main.parameters.json")).GetProperty("parameters").EnumerateObject().Select(parameter => parameter.Name).ToList();
        Assert.Empty(given.Except(Parameters(Main)));
        Assert.Empty(Regex.Matches(Main, @"(?m)^param (\w+) \w+ *$").Select(match => match.Groups[1].Value).Except(given));
    }

    [Fact]
    public void The_apps_settings_are_options()
    {
        var settings = AppSettingsOf(Repository.Read("infra/app/functions.bicep"));
        Assert.Contains("Millrace__ConnectionString", settings.Keys);
        var example = settings.Where(setting => setting.Key.StartsWith("Millrace__", StringComparison.Ordinal)).ToDictionary(setting => setting.Key, setting => setting.Key switch
        {
            "Millrace__Sizing__Sku" => "flex-2048",
            "Millrace__Sizing__Postgres" => "D2ds_v5",
            "Millrace__Sizing__Instances" => "12",
            "Millrace__ApiKey" => "mr_01234567890123456789",
            "Millrace__Wake__Queue" => "millrace-wake",
            "Millrace__Entra__Enabled" => "true",
            "Millrace__ConnectionString" => "Host=store;Database=millrace",
            _ => "text",
        });
        AppSettings.Check(example);
        // The host resolves these itself, so their defaults in code are not enough.
        foreach (var name in new[] { "Millrace__PumpSchedule", "Millrace__MaintenanceSchedule", "Millrace__Wake__Queue" })
            Assert.Contains(name, settings.Keys);
        // The plan of the app knows its runtime; a setting for it would be refused.
        Assert.DoesNotContain("FUNCTIONS_WORKER_RUNTIME", settings.Keys);
    }

    [Fact]
    public void The_profiles_are_those_of_the_code()
    {
        var profiles = JsonElement.Parse(Repository.Read("infra/profiles.json"));
        Assert.Equal(
            HostSku.All.Select(host => (host.Name, host.MemoryMB)),
            profiles.GetProperty("hosts").EnumerateObject().Select(host => (host.Name, host.Value.GetProperty("memoryMB").GetInt32())));
        Assert.Equal(
            SizingProfile.Recommended.Select(profile => (profile.Postgres.Name, profile.Postgres.ArmName, profile.Postgres.Tier, profile.Host.Name, profile.Instances)),
            profiles.GetProperty("databases").EnumerateObject().Select(database => (
                database.Name, database.Value.GetProperty("name").GetString()!, database.Value.GetProperty("tier").GetString()!,
                database.Value.GetProperty("host").GetString()!, database.Value.GetProperty("instances").GetInt32())));
        var allowed = Regex.Match(Main, @"@allowed\(\[(.*)\]\)\s+@description\([^\n]*\)\s+param postgresSku").Groups[1].Value;
        Assert.Equal(PostgresSku.All.Select(size => $"'{size.Name}'"), allowed.Split(", "));
    }

    [Fact]
    public void Defaults_are_those_of_the_code()
    {
        var defaults = new MillraceOptions();
        Assert.Contains($"param pumpSchedule string = '{defaults.PumpSchedule}'", Main, StringComparison.Ordinal);
        Assert.Contains($"param maintenanceSchedule string = '{defaults.MaintenanceSchedule}'", Main, StringComparison.Ordinal);
        Assert.Contains($"var wakeQueue = '{defaults.Wake.Queue}'", Main, StringComparison.Ordinal);
    }

    // https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
    [Theory]
    [InlineData("storage", "storageBlobDataOwner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b")]
    [InlineData("storage", "storageQueueDataContributor", "974c5e8b-45b9-4653-ba55-5f855dd0fb88")]
    [InlineData("storage", "storageTableDataContributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3")]
    [InlineData("monitoring", "monitoringMetricsPublisher", "3913510d-42f4-4e42-8a64-420c390055eb")]
    public void Roles_are_the_built_in_ones(string file, string name, string id) =>
        Assert.Contains($"var {name} = '{id}'", Repository.Read($"infra/app/{file}.bicep"), StringComparison.Ordinal);

    [Theory]
    [InlineData("storage", "allowSharedKeyAccess: false")]
    [InlineData("storage", "allowBlobPublicAccess: false")]
    [InlineData("postgres", "passwordAuth: 'Disabled'")]
    [InlineData("postgres", "activeDirectoryAuth: 'Enabled'")]
    [InlineData("functions", "httpsOnly: true")]
    [InlineData("functions", "tier: 'FlexConsumption'")]
    [InlineData("functions", "name: 'dotnet-isolated'")]
    public void No_secret_opens_a_door(string file, string line) =>
        Assert.Contains(line, Repository.Read($"infra/app/{file}.bicep"), StringComparison.Ordinal);

    [Fact]
    public void The_services_project_is_there_and_tagged()
    {
        var service = Repository.Read("azure.yaml");
        Assert.Contains("host: function", service, StringComparison.Ordinal);
        Assert.Contains("project: ./src/Millrace.Functions", service, StringComparison.Ordinal);
        Assert.Contains("  api:", service, StringComparison.Ordinal);
        Assert.Contains("'azd-service-name': 'api'", Main, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Parameters(string text) => Parameter().Matches(text).Select(match => match.Groups[1].Value);

    private static Dictionary<string, string> AppSettingsOf(string text)
    {
        var settings = text[text.IndexOf("name: 'appsettings'", StringComparison.Ordinal)..];
        return Assignment().Matches(Block(settings, "properties:")).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
    }

    // What stands between the brace behind a name and the one that closes it.
    private static string Block(string text, string name)
    {
        var begin = text.IndexOf('{', text.IndexOf(name, StringComparison.Ordinal));
        var depth = 0;
        for (var i = begin; i < text.Length; i++)
        {
            depth += text[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0)
                return text[(begin + 1)..i];
        }

        throw new InvalidOperationException($"{name} is not closed.");
    }

    [GeneratedRegex(@"(?m)^module (?<name>\w+) 'app/(?<file>[\w.]+)'")]
    private static partial Regex Module();

    [GeneratedRegex(@"(?m)^ +(\w+): (.+)$")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"(?m)^param (\w+) ")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"(?m)^var (\w+) =")]
    private static partial Regex Variable();

    [GeneratedRegex(@"(\w+)!?\.outputs\.(\w+)")]
    private static partial Regex OutputUse();

    [GeneratedRegex(@"(?m)^ *//.*$")]
    private static partial Regex Comment();
}
