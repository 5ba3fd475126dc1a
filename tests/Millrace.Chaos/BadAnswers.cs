using Microsoft.AspNetCore.Http;

namespace Millrace.Chaos;

/// <summary>How the receiver answers: one request in five fails, with an error or with a connection that ends.</summary>
internal static class BadAnswers
{
    /// <param name="slowness">How long the path <c>/slow</c> takes where it succeeds.</param>
    public static Func<HttpContext, int, Task> Of(TimeSpan slowness) => async (context, _) =>
    {
        await Task.Delay(Random.Shared.Next(100));
        switch (Random.Shared.Next(10))
        {
            case 0:
                context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                break;
            case 1:
                context.Abort();
                break;
            default:
                if (context.Request.Path == "/slow")
                    await Task.Delay(slowness);
                await context.Response.WriteAsync("ok");
                break;
        }
    };
}
