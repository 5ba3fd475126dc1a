using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Millrace.Faults;
using Millrace.Store;

namespace Millrace.Api;

/// <summary>What every call of the API goes through, in whatever host: who is calling, and what becomes of errors.</summary>
public sealed class ApiGate(KeyStore keys, StorePatience patience, ILogger<ApiGate> log)
{
    private const string Scheme = "Bearer ";

    /// <summary>Runs a call that needs an API key; the handler gets the organisation it belongs to.</summary>
    public Task<IResult> RunAsync(HttpRequest request, Func<HttpRequest, Guid, CancellationToken, Task<IResult>> handler) =>
        GuardAsync(request, async cancel =>
        {
            var organisation = await AuthenticateAsync(request, cancel);
            return await AskAsync(request, token => handler(request, organisation, token), cancel);
        });

    /// <summary>Runs a call that anybody may make.</summary>
    public Task<IResult> RunOpenAsync(HttpRequest request, Func<HttpRequest, CancellationToken, Task<IResult>> handler) =>
        GuardAsync(request, cancel => AskAsync(request, token => handler(request, token), cancel));

    // What only reads may be asked twice, so a store that restarts need not be the caller's concern.
    private Task<IResult> AskAsync(HttpRequest request, Func<CancellationToken, Task<IResult>> call, CancellationToken cancel) =>
        HttpMethods.IsGet(request.Method) ? patience.RideOutAsync(call, cancel) : call(cancel);

    private async Task<IResult> GuardAsync(HttpRequest request, Func<CancellationToken, Task<IResult>> call)
    {
        try
        {
            return await call(request.HttpContext.RequestAborted);
        }
        catch (ProblemException e)
        {
            return Answers.Problem(e);
        }
        catch (BadHttpRequestException e)
        {
            return Answers.Problem(new(e.StatusCode, "Bad request", e.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? "The body is larger than this call accepts."
                : "The request could not be read."));
        }
        catch (Exception e) when (request.HttpContext.RequestAborted.IsCancellationRequested)
        {
            log.CallerGone(request.Path, e.Message);
            return Results.StatusCode(StatusCodes.Status499ClientClosedRequest);
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            log.StoreUnavailable(request.Path, e.Message);
            return Answers.Problem(ProblemException.Unavailable());
        }
        catch (Exception e)
        {
            log.CallBroke(request.Method, request.Path, e);
            return Answers.Problem(new(StatusCodes.Status500InternalServerError, "Internal error", "Something went wrong here; the log has the cause."));
        }
    }

    private async ValueTask<Guid> AuthenticateAsync(HttpRequest request, CancellationToken cancel)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && await keys.OrganisationOfAsync(header[Scheme.Length..].Trim(), cancel) is { } organisation)
            return organisation;

        request.HttpContext.Response.Headers.WWWAuthenticate = "Bearer";
        throw new ProblemException(StatusCodes.Status401Unauthorized, "Unauthorized", header.Length == 0
            ? "An API key is missing; send \"Authorization: Bearer mr_…\"."
            : "The API key is not known.");
    }
}
