using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Millrace.Api.Contracts;
using Millrace.Configuration;
using Millrace.Explaining;
using Millrace.Store;
using Millrace.Workflows;

namespace Millrace.Api.Handlers;

/// <summary>Calls that store and look at workflows.</summary>
public sealed class WorkflowHandlers(WorkflowStore workflows, DefinitionCache definitions, IOptions<MillraceOptions> options)
{
    /// <summary>PUT /workflows/{name}</summary>
    public async Task<IResult> PutAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var name = QueryReader.Route(request, "name");
        if (!WorkflowReader.IsWorkflowName(name))
            throw ProblemException.BadRequest("A workflow's name has 1 to 128 letters, digits, \".\", \"_\" and \"-\", and begins with a letter or digit.");
        var workflow = await ReadAsync(request, cancel);
        if (workflow.Name is { } own && own != name)
            throw new ProblemException([new("/name", $"The definition calls itself \"{own}\", the address \"{name}\"; they must agree.")]);

        var (version, created) = await workflows.PutAsync(organisation, name, workflow, cancel);
        return new WithHeaders(
            Answers.Json(Version(version), ApiJson.Relaxed.WorkflowResponse, created ? StatusCodes.Status201Created : StatusCodes.Status200OK),
            ("Location", $"{ApiRoutes.Base}/workflows/{name}"));
    }

    /// <summary>GET /workflows</summary>
    public async Task<IResult> ListAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var limit = QueryReader.Limit(request);
        var found = await workflows.ListAsync(organisation, QueryReader.After(request) ?? "", limit + 1, cancel);
        return Page(found, limit, last => last.Name);
    }

    /// <summary>GET /workflows/{name}</summary>
    public async Task<IResult> GetAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var version = QueryReader.Text(request, "version") switch
        {
            null => (int?)null,
            { } text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) => number,
            _ => throw ProblemException.BadRequest("\"version\" is a whole number."),
        };
        var found = await workflows.FindAsync(organisation, QueryReader.Route(request, "name"), version, cancel);
        return Answers.Json(Version(found ?? throw Unknown()), ApiJson.Relaxed.WorkflowResponse);
    }

    /// <summary>GET /workflows/{name}/versions</summary>
    public async Task<IResult> VersionsAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var limit = QueryReader.Limit(request);
        var before = QueryReader.AfterNumber(request) ?? int.MaxValue;
        var found = await workflows.VersionsAsync(organisation, QueryReader.Route(request, "name"), before, limit + 1, cancel);
        if (found.Count == 0 && before == int.MaxValue)
            throw Unknown();
        return Page(found, limit, last => last.Version.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>POST /workflows/validate</summary>
    public async Task<IResult> ValidateAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var workflow = await ReadAsync(request, cancel);
        return Answers.Json(new(true, workflow.Name, Convert.ToHexStringLower(workflow.Hash)), ApiJson.Relaxed.ValidationResponse);
    }

    /// <summary>POST /workflows/explain</summary>
    public async Task<IResult> ExplainAsync(HttpRequest request, Guid organisation, CancellationToken cancel) =>
        InstanceHandlers.Draw(request, Explainer.Of(await ReadAsync(request, cancel)));

    /// <summary>GET /schemas/workflow.json</summary>
    public Task<IResult> SchemaAsync(HttpRequest request, CancellationToken cancel) =>
        Task.FromResult(Answers.Bytes(WorkflowSchema.Utf8, "application/schema+json"));

    private async Task<Workflow> ReadAsync(HttpRequest request, CancellationToken cancel)
    {
        var body = await BodyReader.JsonAsync(request, 2 * options.Value.Limits.DefinitionBytes, cancel);
        return definitions.TryRead(body, out var workflow, out var faults) ? workflow! : throw new ProblemException(faults);
    }

    private static ProblemException Unknown() => ProblemException.NotFound("There is no such workflow.");

    private static IResult Page(IReadOnlyList<WorkflowVersion> found, int limit, Func<WorkflowVersion, string> after)
    {
        var more = found.Count > limit;
        return Answers.Json(
            new([.. found.Take(limit).Select(Version)], more, more ? QueryReader.Cursor(after(found[limit - 1])) : null), ApiJson.Relaxed.WorkflowPage);
    }

    private static WorkflowResponse Version(WorkflowVersion version) =>
        new(version.Name, version.Version, Convert.ToHexStringLower(version.Hash), version.CreatedAt, version.Definition);
}
