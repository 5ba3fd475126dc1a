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
        writer.WriteStartObject("names");
        foreach (var (name, value) in state.Names)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }

        writer.WriteEndObject();
        if (state.Root is { } root)
        {
            writer.WritePropertyName("root");
            Write(writer, root);
        }

        writer.WriteEndObject();
    });

    public static InstanceState Read(Json snapshot)
    {
        var root = snapshot.Element;
        if (root.GetProperty("version").GetInt32() is var version and not Version)
            throw new InvalidOperationException($"A snapshot has version {version}; this program reads version {Version}.");

        var names = ImmutableDictionary.CreateBuilder<string, Json>();
        foreach (var member in root.GetProperty("names").EnumerateObject())
            names[member.Name] = Json.From(member.Value);
        var sequence = root.TryGetProperty("root", out var frame) ? ReadSequence(frame) : null;
        return new(sequence, names.ToImmutable(), root.GetProperty("executions").GetInt32(), null);
    }

    private static void Write(Utf8JsonWriter writer, SequenceFrame frame)
    {
        writer.WriteStartObject();
        writer.WriteNumber("index", frame.Index);
        writer.WriteNumber("attempt", frame.Child.Attempt);
        writer.WriteString("started_at", frame.Child.StartedAt);
        if (frame.Child.Deadline is { } deadline)
            writer.WriteString("deadline", deadline);
        Write(writer, frame.Child.Activity);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, Activity activity)
    {
        switch (activity)
        {
            case Executing:
                writer.WriteString("activity", "executing");
                break;
            case BackingOff { Due: var due }:
                writer.WriteString("activity", "backing_off");
                writer.WriteString("due", due);
                break;
            case Sleeping { Due: var due }:
                writer.WriteString("activity", "sleeping");
                writer.WriteString("due", due);
                break;
            case Testing testing:
                writer.WriteString("activity", "testing");
                writer.WriteString("path", testing.Path);
                writer.WriteString("asked_at", testing.StartedAt);
                writer.WriteStartObject("answers");
                foreach (var (path, holds) in testing.Answers)
                    writer.WriteBoolean(path, holds);
                writer.WriteEndObject();
                break;
            case Inside inside:
                writer.WriteString("activity", inside.Then ? "then" : "else");
                writer.WritePropertyName("body");
                Write(writer, inside.Body);
                break;
        }
    }

    private static SequenceFrame ReadSequence(JsonElement frame) => new(
        frame.GetProperty("index").GetInt32(),
        new(
            frame.GetProperty("attempt").GetInt32(),
            frame.GetProperty("started_at").GetDateTimeOffset(),
            frame.TryGetProperty("deadline", out var deadline) ? deadline.GetDateTimeOffset() : null,
            ReadActivity(frame)));

    private static Activity ReadActivity(JsonElement frame) => frame.GetProperty("activity").GetString() switch
    {
        "executing" => Executing.Instance,
        "backing_off" => new BackingOff(frame.GetProperty("due").GetDateTimeOffset()),
        "sleeping" => new Sleeping(frame.GetProperty("due").GetDateTimeOffset()),
        "testing" => new Testing(
            frame.GetProperty("path").GetString()!,
            frame.GetProperty("asked_at").GetDateTimeOffset(),
            frame.GetProperty("answers").EnumerateObject()
                .ToImmutableDictionary(answer => answer.Name, answer => answer.Value.GetBoolean())),
        "then" => new Inside(true, ReadSequence(frame.GetProperty("body"))),
        "else" => new Inside(false, ReadSequence(frame.GetProperty("body"))),
        var other => throw new InvalidOperationException($"A snapshot has the unknown activity \"{other}\"."),
    };
}
