using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Millrace.Waking;

namespace Millrace.Functions;

/// <summary>The answer to a call that may make instances ready, and the tokens that go to the wake queue with it.</summary>
public sealed class WakingAnswer
{
    /// <summary>What the caller gets.</summary>
    [HttpResult]
    public required IResult Answer { get; init; }

    /// <summary>Messages that call drains.</summary>
    [QueueOutput("%Millrace:Wake:Queue%")]
    public required string[] Tokens { get; init; }

    /// <summary>The answer with its tokens.</summary>
    public static async Task<WakingAnswer> OfAsync(Waker waker, Func<Task<IResult>> call)
    {
        var (answer, tokens) = await waker.CallAsync(call);
        return new() { Answer = answer, Tokens = tokens };
    }
}
