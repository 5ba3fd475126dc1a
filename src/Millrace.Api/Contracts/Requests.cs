using Millrace.Values;

namespace Millrace.Api.Contracts;

/// <summary>
/// The body of a start, for the API's description. Bodies are read by <see cref="StartReader"/>, which reports all that is
/// wrong at once, each with its place.
/// </summary>
/// <param name="Workflow">The name of a stored workflow; or give a definition.</param>
/// <param name="Definition">A definition; or name a workflow.</param>
/// <param name="Version">Which version of the workflow; the newest where it is left out.</param>
/// <param name="Input">Any JSON; templates read it as input.</param>
/// <param name="Label">Up to 200 characters, to find the instance again.</param>
/// <param name="Priority">From 0, the most urgent, to 9; 5 where it is left out.</param>
/// <param name="Delay">How long to wait before beginning, such as 30s.</param>
/// <param name="RunAt">When to begin (RFC 3339).</param>
/// <param name="Vars">Variables that go over the organisation's own.</param>
public sealed record StartRequestBody(
    string? Workflow, Json? Definition, int? Version, Json? Input, string? Label, int? Priority, string? Delay, DateTimeOffset? RunAt, Json? Vars);

/// <summary>The body of a request to cancel.</summary>
/// <param name="Reason">Why, up to 1,000 characters; it becomes the instance's error message.</param>
public sealed record CancelRequestBody(string? Reason);

/// <summary>The body that sets a variable.</summary>
/// <param name="Value">Any JSON.</param>
public sealed record VariableRequestBody(Json Value);
