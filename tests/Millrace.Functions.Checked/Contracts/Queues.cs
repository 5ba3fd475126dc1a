// What the app uses of Azure.Storage.Queues. It never ships. Messages are kept for whoever asks, and go nowhere.
using Azure.Core;

namespace Azure.Storage.Queues;

/// <summary>How messages are written.</summary>
public enum QueueMessageEncoding
{
    /// <summary>As they are.</summary>
    None,

    /// <summary>As base64 of their UTF-8.</summary>
    Base64,
}

/// <summary>Settings of a client.</summary>
public sealed class QueueClientOptions
{
    /// <summary>How messages are written.</summary>
    public QueueMessageEncoding MessageEncoding { get; set; }
}

/// <summary>A queue.</summary>
public sealed class QueueClient
{
    /// <summary>By a connection string.</summary>
    public QueueClient(string connectionString, string queueName, QueueClientOptions options) =>
        (Where, Name, Options) = (connectionString, queueName, options);

    /// <summary>By an address and an identity.</summary>
    public QueueClient(Uri queueUri, TokenCredential credential, QueueClientOptions options) =>
        (Where, Name, Credential, Options) = (queueUri.AbsoluteUri, queueUri.Segments[^1], credential, options);

    /// <summary>What was sent in this process, in its order.</summary>
    public static System.Collections.Concurrent.ConcurrentQueue<(QueueClient Client, string Message, TimeSpan? Delay)> Sent { get; } = new();

    /// <summary>What it was made with.</summary>
    public string Where { get; }

    /// <summary>The queue's name.</summary>
    public string Name { get; }

    /// <summary>The identity; null for a connection string.</summary>
    public TokenCredential? Credential { get; }

    /// <summary>The settings.</summary>
    public QueueClientOptions Options { get; }

    /// <summary>Sends a message.</summary>
    public Task SendMessageAsync(string messageText, TimeSpan? visibilityTimeout, TimeSpan? timeToLive, CancellationToken cancellationToken)
    {
        Sent.Enqueue((this, messageText, visibilityTimeout));
        return Task.CompletedTask;
    }
}
