using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Millrace.Configuration;
using Millrace.Store;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Api;

/// <summary>A start as it was read: the request, and the definition that came with it.</summary>
internal sealed record ReadStart(StartRequest Request, Workflow? Definition);

/// <summary>Reads the body of a start, or one item of a batch, and reports all that is wrong with it at once.</summary>
internal sealed class StartReader(DefinitionCache definitions, LimitOptions limits)
{
    private const int LongestLabel = 200;

    /// <param name="body">The start.</param>
    /// <param name="pointer">Where it stands.</param>
    /// <param name="organisation">Whose it is.</param>
    /// <param name="isKeyed">Whether it came with an idempotency key, and must be told from another one under the same key.</param>
    /// <param name="faults">Takes what is wrong.</param>
    public ReadStart? Read(JsonElement body, string pointer, Guid organisation, bool isKeyed, FaultList faults)
    {
        if (ObjectReader.Of(body, pointer, faults) is not { } reader)
            return null;

        var before = faults.All.Count;
        var (name, definition) = Target(reader);
        var version = reader.Integer("version", 1, int.MaxValue);
        if (version is not null && name is null && reader.Has("definition"))
            faults.Add(reader.At("version"), "A version belongs to a named workflow, not to a definition.");

        var input = Sized(reader, "input");
        var label = reader.Text("label", LongestLabel);
        var priority = reader.Integer("priority", 0, 9);
        var delay = Delay(reader);
        var runAt = RunAt(reader);
        if (reader.Has("delay") && reader.Has("run_at"))
            faults.Add(pointer, "\"delay\" and \"run_at\" exclude each other.");
        var variables = Variables(reader);
        reader.Finish();
        if (faults.All.Count > before)
            return null;

        return new(
            new()
            {
                Organisation = organisation,
                DefinitionHash = definition?.Hash,
                Workflow = name ?? definition?.Name,
                Version = version,
                Label = label,
                Priority = (short)(priority ?? StartRequest.DefaultPriority),
                Input = input,
                Variables = variables,
                RunAt = runAt,
                Delay = delay,
                Fingerprint = isKeyed ? SHA256.HashData(Json.From(body).Minified().Utf8.Span) : [],
            },
            definition);
    }

    private (string? Name, Workflow? Definition) Target(ObjectReader reader)
    {
        var name = reader.Text("workflow");
        var definition = reader.Any("definition");
        if (reader.Has("workflow") == reader.Has("definition"))
        {
            reader.Faults.Add(reader.Pointer, reader.Has("workflow")
                ? "\"workflow\" and \"definition\" exclude each other."
                : "Either \"workflow\", the name of a stored workflow, or \"definition\" is needed.");
        }

        if (name is not null && !WorkflowReader.IsWorkflowName(name))
            reader.Faults.Add(reader.At("workflow"), "Not the name of a workflow.");
        if (definition is null)
            return (name, null);
        if (!definitions.TryRead(definition.Value, out var workflow, out var faults))
            reader.Faults.Add(reader.At("definition"), faults);
        return (name, workflow);
    }

    private Json? Sized(ObjectReader reader, string name)
    {
        if (reader.Any(name) is not { } value)
            return null;
        var json = Json.From(value);
        if (json.Utf8.Length > limits.InputBytes)
        {
            reader.Faults.Add(
                reader.At(name), $"Takes {json.Utf8.Length:N0} bytes; at most {limits.InputBytes:N0} are allowed. Keep large data in a table and give its key.",
                tooLarge: true);
        }

        return json;
    }

    private Json? Variables(ObjectReader reader)
    {
        var variables = Sized(reader, "vars");
        if (variables is null)
            return null;
        if (variables.Element.ValueKind is JsonValueKind.Object)
            return variables;
        reader.Faults.Add(reader.At("vars"), $"Expected an object, found {ObjectReader.Name(variables.Element)}.");
        return null;
    }

    private static TimeSpan? Delay(ObjectReader reader)
    {
        if (reader.Text("delay") is not { } text)
            return null;
        if (Duration.TryParse(text, out var delay))
            return delay;
        reader.Faults.Add(reader.At("delay"), $"\"{ObjectReader.Cut(text)}\" is not {Duration.Expected}.");
        return null;
    }

    private static DateTimeOffset? RunAt(ObjectReader reader)
    {
        if (reader.Text("run_at") is not { } text)
            return null;
        if (Rfc3339(text, out var time) && time.Year is >= 1970 and <= 9000)
            return time;
        reader.Faults.Add(reader.At("run_at"), $"\"{ObjectReader.Cut(text)}\" is not a time such as \"2026-11-21T08:30:00Z\" (RFC 3339, with an offset).");
        return null;
    }

    private static bool Rfc3339(string text, out DateTimeOffset time) => DateTimeOffset.TryParseExact(
        text, ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"], CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal, out time) && (text.EndsWith('Z') || text.LastIndexOfAny(['+', '-']) > 10);
}
