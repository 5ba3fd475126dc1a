using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Api.Handlers;

/// <summary>Calls on an organisation's variables.</summary>
public sealed class VariableHandlers(VariableStore variables, IOptions<MillraceOptions> options)
{
    /// <summary>GET /vars/{name}</summary>
    public async Task<IResult> GetAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var value = await variables.FindAsync(organisation, Name(request), cancel) ?? throw Unknown();
        return Answers.Json(new(value), ApiJson.Relaxed.VariableResponse);
    }

    /// <summary>PUT /vars/{name}</summary>
    public async Task<IResult> PutAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var name = Name(request);
        var limit = options.Value.Limits.InputBytes;
        var body = await BodyReader.JsonAsync(request, (2 * limit) + 1024, cancel);
        var faults = new FaultList();
        var reader = ObjectReader.Of(body, "", faults);
        var value = reader?.Required("value");
        reader?.Finish();
        var json = value is { } element ? Json.From(element) : null;
        if (json?.Utf8.Length > limit)
            faults.Add("/value", $"Takes {json.Utf8.Length:N0} bytes; at most {limit:N0} are allowed.", tooLarge: true);
        if (faults.Any)
            throw new ProblemException(faults.All);

        var created = await variables.PutAsync(organisation, name, json!, cancel);
        return Answers.Json(new(json!), ApiJson.Relaxed.VariableResponse, created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }

    /// <summary>DELETE /vars/{name}</summary>
    public async Task<IResult> DeleteAsync(HttpRequest request, Guid organisation, CancellationToken cancel) =>
        await variables.DeleteAsync(organisation, Name(request), cancel) ? Results.NoContent() : throw Unknown();

    // A name that a template could not read would be of no use.
    private static string Name(HttpRequest request)
    {
        var name = QueryReader.Route(request, "name");
        return WorkflowReader.IsResultName(name)
            ? name
            : throw ProblemException.BadRequest("A variable's name has 1 to 64 letters, digits, \"_\" and \"-\", and begins with a letter or \"_\".");
    }

    private static ProblemException Unknown() => ProblemException.NotFound("There is no such variable.");
}
