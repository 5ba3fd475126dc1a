using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Millrace.Chaos;

/// <summary>One request as the receiver saw it.</summary>
internal sealed record Received(string Method, string Path, IReadOnlyDictionary<string, string> Headers, string Body);

/// <summary>An HTTP server that does what a test tells it and keeps what it got.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication web;

    private Receiver(WebApplication web) => this.web = web;

    public ConcurrentQueue<Received> Requests { get; } = new();

    /// <summary>Those that were answered with success.</summary>
    public ConcurrentQueue<Received> Answered { get; } = new();

    public string Address => web.Urls.First();

    public static async Task<Receiver> StartAsync(Func<HttpContext, int, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var web = builder.Build();
        web.Urls.Add("http://127.0.0.1:0");
        var receiver = new Receiver(web);
        web.Run(async context =>
        {
            context.Request.EnableBuffering();
            using var reader = new StreamReader(context.Request.Body, leaveOpen: true);
            var body = await reader.ReadToEndAsync();
            context.Request.Body.Position = 0;
            var received = new Received(
                context.Request.Method, context.Request.Path + context.Request.QueryString,
                context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase), body);
            receiver.Requests.Enqueue(received);
            // Before the answer is on its way: whoever has it may be looked at.
            context.Response.OnStarting(() =>
            {
                if (context.Response.StatusCode < StatusCodes.Status300MultipleChoices)
                    receiver.Answered.Enqueue(received);
                return Task.CompletedTask;
            });
            await answer(context, receiver.Requests.Count);
        });
        await web.StartAsync();
        return receiver;
    }

    public async ValueTask DisposeAsync() => await web.DisposeAsync();
}
