using System.Collections.Frozen;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Calls;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Values;

namespace Millrace.Nodes;

/// <summary>Runs the handler of a <c>call</c> node.</summary>
internal sealed class CallExecutor(
    IEnumerable<CallRegistration> registrations, IServiceScopeFactory scopes, IOptions<MillraceOptions> options, TimeProvider time,
    ILogger<CallExecutor> log)
{
    private readonly int maxBytes = options.Value.Limits.ResultBytes;

    // Of two registrations of one name the later one counts, as with other services.
    private readonly FrozenDictionary<string, CallRegistration> handlers =
        registrations.GroupBy(handler => handler.Name, StringComparer.Ordinal).ToFrozenDictionary(group => group.Key, group => group.Last(), StringComparer.Ordinal);

    public async Task<NodeEnd> ExecuteAsync(Guid instance, ExecuteCall command, CancellationToken cancel)
    {
        var name = command.Call.Handler;
        if (!handlers.TryGetValue(name, out var handler))
        {
            return new NodeFailure($"this process has no handler named \"{name}\".{Suggestion.For(name, handlers.Keys)}"
                + " Handlers are registered with AddMillraceCall", "no_handler", Retryable: false);
        }

        using var limit = new StopSource(time, cancel);
        if (command.Call.Timeout is { } timeout)
            limit.StopAfter(timeout);
        try
        {
            // What a handler does before it first waits must not hold up the instance's other branches, nor its time limit.
            return await Task.Run(() => InvokeAsync(handler, instance, command, limit.Token), CancellationToken.None).WaitAsync(limit.Waits);
        }
        catch (OperationCanceledException) when (limit.IsStopped && !cancel.IsCancellationRequested)
        {
            return new NodeFailure($"the handler \"{name}\" did not end within {command.Call.Timeout}", "timeout");
        }
        catch (CallInputException e)
        {
            return new NodeFailure(e.Message, "input", Retryable: false);
        }
        catch (CallFailedException e)
        {
            return new NodeFailure(e.Message, e.Code, e.Retryable);
        }
        catch (Exception e)
        {
            // What it says once nobody waits for it any more is its way of stopping.
            cancel.ThrowIfCancellationRequested();
            // What it says may be anything, a connection string included; the log is for the operator.
            log.HandlerThrew(name, instance, command.Key.Path, e);
            return new NodeFailure($"the handler \"{name}\" threw {e.GetType().Name}; the server's log has the cause", "exception");
        }
    }

    private async Task<NodeEnd> InvokeAsync(CallRegistration handler, Guid instance, ExecuteCall command, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = new CallContext(instance, command.Key, NodeContext.EffectOf(instance, command.Key).ToString());
        var result = await handler.Invoke(scope.ServiceProvider, command.Input, context, cancel);
        return result.Utf8.Length > maxBytes
            ? new NodeFailure($"the result takes {result.Utf8.Length:N0} bytes; at most {maxBytes:N0} are allowed", "result_too_large", Retryable: false)
            : result;
    }
}
