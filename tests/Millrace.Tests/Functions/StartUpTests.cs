using System.Diagnostics;
using Azure.Storage.Queues;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Functions;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Functions;

/// <summary>How the app starts, and where it finds its queue.</summary>
public sealed class StartUpTests
{
    [Fact]
    public async Task The_apps_own_start_makes_the_schema_and_its_key()
    {
        var connection = await TestCluster.CreateDatabaseAsync();
        var key = KeyStore.NewKey();
        var start = new ProcessStartInfo("dotnet", [typeof(StartFunctions).Assembly.Location]) { RedirectStandardOutput = true };
        (start.Environment["Millrace__ConnectionString"], start.Environment["Millrace__ApiKey"]) = (connection, key);
        using (var process = Process.Start(start)!)
        {
            await TestServer.EventuallyAsync(
                async () => await TestCluster.ScalarAsync<bool>(connection, "select to_regclass('millrace.api_key') is not null")
                    && await TestCluster.ScalarAsync<long>(connection, $"select count(*) from millrace.api_key where hash = '\\x{Convert.ToHexString(KeyStore.HashOf(key))}'") == 1,
                "the app makes the store ready");
            process.Kill();
            await process.WaitForExitAsync();
        }

        await TestCluster.DropDatabaseAsync(connection);
    }

    [Fact]
    public async Task Tokens_go_to_the_hosts_storage_by_its_connection_string()
    {
        var (client, message, delay) = await SendAsync(TimeSpan.Zero, ("AzureWebJobsStorage", "UseDevelopmentStorage=true"));
        Assert.Equal(("UseDevelopmentStorage=true", "millrace-wake", null, QueueMessageEncoding.Base64), (client.Where, client.Name, client.Credential, client.Options.MessageEncoding));
        Assert.Null(delay);
        Assert.NotEmpty(message);
    }

    [Theory]
    [InlineData("AzureWebJobsStorage:accountName", "stmine", "https://stmine.queue.core.windows.net/millrace-wake")]
    [InlineData("AzureWebJobsStorage:queueServiceUri", "https://stmine.queue.example/", "https://stmine.queue.example/millrace-wake")]
    public async Task Or_by_its_identity(string name, string value, string where)
    {
        var (client, _, delay) = await SendAsync(TimeSpan.FromSeconds(40), (name, value), ("AzureWebJobsStorage:clientId", Guid.NewGuid().ToString()));
        Assert.Equal((where, "millrace-wake", TimeSpan.FromSeconds(40)), (client.Where, client.Name, delay));
        Assert.NotNull(client.Credential);
    }

    private static async Task<(QueueClient Client, string Message, TimeSpan? Delay)> SendAsync(TimeSpan delay, params (string Name, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => new KeyValuePair<string, string?>(setting.Name, setting.Value))).Build();
        var message = $"{Guid.NewGuid()}";
        await new StorageWakeSender(configuration, Options.Create(new MillraceOptions())).SendAsync(message, delay, CancellationToken.None);
        return QueueClient.Sent.Single(sent => sent.Message == message);
    }
}
