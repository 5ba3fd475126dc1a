using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>The snapshot that is stored when an instance parks: a state as JSON, and back.</summary>
internal static class StateJson
{
    private const int Version = 1;

    public static Json Write(InstanceState state) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("version", Version);
        writer.WriteNumber("executions", state.Executions);
        FrameJson.WriteNames(writer, "names", state.Names);
        if (state.Root is { } root)
            FrameJson.Write(writer, "root", root);
        if (state.Mailbox.Seen > 0)
            WriteMailbox(writer, state.Mailbox);
        if (!state.Compensations.IsEmpty)
        {
            writer.WriteStartArray("compensations");
            foreach (var compensation in state.Compensations)
                Write(writer, compensation);
            writer.WriteEndArray();
        }

        if (state.Ending is { } ending)
            Write(writer, ending);
        writer.WriteEndObject();
    });

    public static InstanceState Read(Json snapshot)
    {
        var root = snapshot.Element;
        if (root.GetProperty("version").GetInt32() is var version and not Version)
            throw new InvalidOperationException($"A snapshot has version {version}; this program reads version {Version}.");

        return new(
            root.TryGetProperty("root", out var frame) ? FrameJson.ReadSequence(frame) : null,
            FrameJson.ReadNames(root, "names"),
            root.GetProperty("executions").GetInt32(),
            null)
        {
            Mailbox = root.TryGetProperty("mailbox", out var mailbox) ? ReadMailbox(mailbox) : Mailbox.Empty,
            Compensations = root.TryGetProperty("compensations", out var list) ? [.. list.EnumerateArray().Select(ReadCompensation)] : [],
            Ending = root.TryGetProperty("ending", out var ending) ? ReadEnding(ending) : null,
        };
    }

    private static void WriteMailbox(Utf8JsonWriter writer, Mailbox mailbox)
    {
        writer.WriteStartObject("mailbox");
        writer.WriteNumber("seen", mailbox.Seen);
        writer.WriteStartArray("waiting");
        foreach (var signal in mailbox.Waiting)
        {
            writer.WriteStartObject();
            writer.WriteNumber("number", signal.Number);
            writer.WriteString("name", signal.Name);
            writer.WritePropertyName("data");
            signal.Data.WriteTo(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static Mailbox ReadMailbox(JsonElement mailbox) => new(
        mailbox.GetProperty("seen").GetInt64(),
        [.. mailbox.GetProperty("waiting").EnumerateArray().Select(signal =>
            new Signal(signal.GetProperty("number").GetInt64(), signal.GetProperty("name").GetString()!, Json.From(signal.GetProperty("data"))))]);

    private static void Write(Utf8JsonWriter writer, Compensation compensation)
    {
        writer.WriteStartObject();
        writer.WriteString("path", compensation.Path);
        writer.WriteString("container", compensation.Scope.Container);
        writer.WriteString("run", compensation.Scope.Run);
        writer.WriteNumber("iteration", compensation.Scope.Iteration);
        FrameJson.WriteNames(writer, "names", compensation.Names);
        writer.WriteEndObject();
    }

    private static Compensation ReadCompensation(JsonElement value) => new(
        value.GetProperty("path").GetString()!,
        new(value.GetProperty("container").GetString()!, value.GetProperty("run").GetString()!, value.GetProperty("iteration").GetInt32()),
        FrameJson.ReadNames(value, "names"));

    private static void Write(Utf8JsonWriter writer, Ending ending)
    {
        writer.WriteStartObject("ending");
        writer.WriteString("status", ending.Status.Name());
        FrameJson.Write(writer, "error", ending.Error);
        writer.WritePropertyName("current");
        Write(writer, ending.Current);
        FrameJson.Write(writer, "body", ending.Body);
        FrameJson.WriteNames(writer, "own", ending.Own);
        writer.WriteNumber("failed", ending.Failed);
        FrameJson.Write(writer, "first_failure", ending.FirstFailure);
        writer.WriteEndObject();
    }

    private static Ending ReadEnding(JsonElement value) => new(
        StatusNames.InstanceStatusOf(value.GetProperty("status").GetString())!.Value,
        FrameJson.ReadError(value, "error")!,
        ReadCompensation(value.GetProperty("current")),
        FrameJson.ReadSequence(value.GetProperty("body")),
        FrameJson.ReadNames(value, "own"),
        value.GetProperty("failed").GetInt32(),
        FrameJson.ReadError(value, "first_failure"));
}
