using Azure.Identity;
using Azure.Storage.Queues;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Waking;

namespace Millrace.Functions;

/// <summary>
/// The wake queue, for tokens that an output binding cannot send: those that are held back, and those that must go before
/// their function ends. It is the queue of the host's own storage, found as the host finds it.
/// </summary>
public sealed class StorageWakeSender(IConfiguration configuration, IOptions<MillraceOptions> options) : IWakeSender
{
    private const string Storage = "AzureWebJobsStorage";

    // The trigger expects messages as the output binding writes them.
    private static readonly QueueClientOptions Encoding = new() { MessageEncoding = QueueMessageEncoding.Base64 };
    private readonly Lazy<QueueClient> client = new(() => Connect(configuration, options.Value.Wake.Queue));

    /// <inheritdoc/>
    public async Task SendAsync(string token, TimeSpan delay, CancellationToken cancel) =>
        await client.Value.SendMessageAsync(token, delay > TimeSpan.Zero ? delay : null, timeToLive: null, cancel);

    private static QueueClient Connect(IConfiguration configuration, string queue)
    {
        if (configuration[Storage] is { Length: > 0 } connectionString)
            return new(connectionString, queue, Encoding);
        var service = configuration[$"{Storage}:queueServiceUri"] ?? $"https://{configuration[$"{Storage}:accountName"]}.queue.core.windows.net";
        return new(new Uri($"{service.TrimEnd('/')}/{queue}"), new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(configuration[$"{Storage}:clientId"])), Encoding);
    }
}
