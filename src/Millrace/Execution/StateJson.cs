using System.Collections.Immutable;
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

        if (!state.Lingering.IsEmpty)
        {
            writer.WriteStartArray("lingering");
            foreach (var lingering in state.Lingering)
                Write(writer, lingering);
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

        ImmutableList<Compensation> compensations = root.TryGetProperty("compensations", out var list) ? [.. list.EnumerateArray().Select(ReadCompensation)] : [];
        return new(
            root.TryGetProperty("root", out var frame) ? FrameJson.ReadSequence(frame) : null,
            FrameJson.ReadNames(root, "names"),
            root.GetProperty("executions").GetInt32(),
            null)
        {
            Mailbox = root.TryGetProperty("mailbox", out var mailbox) ? ReadMailbox(mailbox) : Mailbox.Empty,
            Compensations = compensations,
            CompensationBytes = compensations.Sum(compensation => compensation.Bytes),
            Lingering = root.TryGetProperty("lingering", out var lingering) ? [.. lingering.EnumerateArray().Select(ReadLingering)] : [],
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
        Write(writer, compensation.Path, compensation.Scope);
        FrameJson.WriteNames(writer, "names", compensation.Names);
        writer.WriteEndObject();
    }

    private static Compensation ReadCompensation(JsonElement value) =>
        new(value.GetProperty("path").GetString()!, ReadScope(value), FrameJson.ReadNames(value, "names"));

    // The one node stands where a sequence would: its index means nothing.
    private static void Write(Utf8JsonWriter writer, Lingering lingering)
    {
        writer.WriteStartObject();
        Write(writer, lingering.Path, lingering.Scope);
        FrameJson.Write(writer, "frame", new SequenceFrame(0, lingering.Frame));
        FrameJson.WriteNames(writer, "names", lingering.Names);
        writer.WriteEndObject();
    }

    private static Lingering ReadLingering(JsonElement value) => new(
        value.GetProperty("path").GetString()!,
        ReadScope(value),
        FrameJson.ReadSequence(value.GetProperty("frame")).Child,
        FrameJson.ReadNames(value, "names"));

    private static void Write(Utf8JsonWriter writer, string path, PathScope scope)
    {
        writer.WriteString("path", path);
        writer.WriteString("container", scope.Container);
        writer.WriteString("run", scope.Run);
        writer.WriteNumber("iteration", scope.Iteration);
    }

    private static PathScope ReadScope(JsonElement value) =>
        new(value.GetProperty("container").GetString()!, value.GetProperty("run").GetString()!, value.GetProperty("iteration").GetInt32());

    private static void Write(Utf8JsonWriter writer, Ending ending)
    {
        writer.WriteStartObject("ending");
        writer.WriteString("status", ending.Status.Name());
        FrameJson.Write(writer, "error", ending.Error);
        if (ending.Current is { } current)
        {
            writer.WritePropertyName("current");
            Write(writer, current);
        }

        if (ending.Body is { } body)
            FrameJson.Write(writer, "body", body);
        FrameJson.WriteNames(writer, "own", ending.Own);
        writer.WriteNumber("failed", ending.Failed);
        FrameJson.Write(writer, "first_failure", ending.FirstFailure);
        if (ending.Resume is { } resume)
        {
            writer.WritePropertyName("resume");
            Write(resume).WriteTo(writer);
        }

        writer.WriteEndObject();
    }

    private static Ending ReadEnding(JsonElement value) => new(
        StatusNames.InstanceStatusOf(value.GetProperty("status").GetString())!.Value,
        FrameJson.ReadError(value, "error")!,
        value.TryGetProperty("current", out var current) ? ReadCompensation(current) : null,
        value.TryGetProperty("body", out var body) ? FrameJson.ReadSequence(body) : null,
        FrameJson.ReadNames(value, "own"),
        value.GetProperty("failed").GetInt32(),
        FrameJson.ReadError(value, "first_failure"))
    {
        Resume = value.TryGetProperty("resume", out var resume) ? Read(Json.From(resume)) : null,
    };
}
