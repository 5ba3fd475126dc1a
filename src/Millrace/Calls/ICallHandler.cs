using Millrace.Execution;

namespace Millrace.Calls;

/// <summary>Code that <c>call</c> nodes run. It runs at least once for each execution; <see cref="CallContext.IdempotencyKey"/> tells repetitions.</summary>
/// <typeparam name="TInput">What the node's <c>with</c> is read as.</typeparam>
/// <typeparam name="TOutput">What the node's result is written from.</typeparam>
public interface ICallHandler<in TInput, TOutput>
{
    /// <summary>Does the work.</summary>
    /// <param name="input">The node's <c>with</c>.</param>
    /// <param name="context">Which execution it is.</param>
    /// <param name="cancel">Cancelled when the node's time is up, nobody waits for it any more, or the process stops.</param>
    /// <exception cref="CallFailedException">The node fails with this message; anything else that is thrown fails it with the exception's type alone.</exception>
    Task<TOutput> HandleAsync(TInput input, CallContext context, CancellationToken cancel);
}

/// <summary>The execution that a handler runs for.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Key">The execution within it.</param>
/// <param name="IdempotencyKey">The same for every attempt of a node in one turn, and for no other node.</param>
public sealed record CallContext(Guid Instance, NodeKey Key, string IdempotencyKey);

/// <summary>A handler's failure, in words for the workflow's author.</summary>
/// <param name="message">Why; it goes into the history, so it holds no secrets.</param>
/// <param name="code">A word for it that workflows can compare; null for none.</param>
/// <param name="retryable">Whether another attempt could succeed.</param>
public sealed class CallFailedException(string message, string? code = null, bool retryable = true) : Exception(message)
{
    /// <summary>A word for the failure.</summary>
    public string? Code => code;

    /// <summary>Whether another attempt could succeed.</summary>
    public bool Retryable => retryable;
}
