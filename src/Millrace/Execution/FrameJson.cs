using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Execution;

/// <summary>The frames of a snapshot. Each activity has a word; what it needs stands beside it.</summary>
internal static class FrameJson
{
    public static void Write(Utf8JsonWriter writer, string name, SequenceFrame frame)
    {
        writer.WritePropertyName(name);
        Write(writer, frame);
    }

    /// <summary>Writes names as a member of a value.</summary>
    public static void WriteNames(Utf8JsonWriter writer, string name, ImmutableDictionary<string, Json> names)
    {
        writer.WriteStartObject(name);
        foreach (var (key, value) in names)
        {
            writer.WritePropertyName(key);
            value.WriteTo(writer);
        }

        writer.WriteEndObject();
        LookAlikes.Write(writer, name, names);
    }

    /// <summary>Reads names that are a member of a value.</summary>
    public static ImmutableDictionary<string, Json> ReadNames(JsonElement value, string name)
    {
        var read = ImmutableDictionary.CreateBuilder<string, Json>();
        var plain = LookAlikes.Beside(value, name);
        foreach (var member in value.GetProperty(name).EnumerateObject())
            read[member.Name] = LookAlikes.Read(member.Value, member.Name, plain);
        return read.ToImmutable();
    }

    public static void Write(Utf8JsonWriter writer, string name, NodeError? error)
    {
        if (ErrorJson.OfExecution(error) is not { } json)
            return;
        writer.WritePropertyName(name);
        json.WriteTo(writer);
    }

    public static NodeError? ReadError(JsonElement value, string name) =>
        value.TryGetProperty(name, out var error) ? ErrorJson.Read(Json.From(error)) : null;

    public static SequenceFrame ReadSequence(JsonElement frame) => new(
        frame.GetProperty("index").GetInt32(),
        new(
            frame.GetProperty("attempt").GetInt32(),
            frame.GetProperty("started_at").GetDateTimeOffset(),
            Time(frame, "deadline"),
            ReadActivity(frame))
        {
            Since = (frame.TryGetProperty("since", out var since) ? since : frame.GetProperty("attempt")).GetInt32(),
            Forgiven = frame.TryGetProperty("forgiven", out var forgiven) ? forgiven.GetInt32() : 0,
            TimedOut = frame.TryGetProperty("timed_out", out _),
        });

    private static void Write(Utf8JsonWriter writer, SequenceFrame frame)
    {
        writer.WriteStartObject();
        writer.WriteNumber("index", frame.Index);
        writer.WriteNumber("attempt", frame.Child.Attempt);
        writer.WriteString("started_at", frame.Child.StartedAt);
        WriteTime(writer, "deadline", frame.Child.Deadline);
        if (frame.Child.Since != frame.Child.Attempt)
            writer.WriteNumber("since", frame.Child.Since);
        if (frame.Child.Forgiven > 0)
            writer.WriteNumber("forgiven", frame.Child.Forgiven);
        if (frame.Child.TimedOut)
            writer.WriteBoolean("timed_out", true);
        Write(writer, frame.Child.Activity);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, Activity activity)
    {
        writer.WriteString("activity", WordFor(activity));
        switch (activity)
        {
            case BackingOff pause:
                writer.WriteString("until", pause.Until);
                if (pause.Since is { } since)
                    writer.WriteNumber("goes_on_since", since);
                break;
            case Sleeping sleeping:
                writer.WriteString("until", sleeping.Until);
                break;
            case AwaitingSignal signal:
                writer.WriteString("signal", signal.Name);
                WriteTime(writer, "until", signal.Until);
                break;
            case Testing testing:
                Write(writer, testing.Question);
                break;
            case Inside inside:
                Write(writer, "body", inside.Body);
                break;
            case Branching branching:
                writer.WriteStartArray("branches");
                foreach (var branch in branching.Branches)
                    Write(writer, branch);
                writer.WriteEndArray();
                break;
            case Looping looping:
                Write(writer, looping);
                break;
            case Iterating iterating:
                Write(writer, iterating);
                break;
            case Trying trying:
                Write(writer, trying);
                break;
        }
    }

    private static string WordFor(Activity activity) => activity switch
    {
        Executing => "executing",
        AwaitingChildren => "awaiting_children",
        BackingOff => "backing_off",
        Sleeping => "sleeping",
        AwaitingSignal => "awaiting_signal",
        Testing => "testing",
        Inside { Then: true } => "then",
        Inside => "else",
        Branching => "branching",
        Looping => "looping",
        Iterating => "iterating",
        Trying => "trying",
        _ => throw new InvalidOperationException($"Unknown activity {activity.GetType().Name}."),
    };

    private static Activity ReadActivity(JsonElement frame) => frame.GetProperty("activity").GetString() switch
    {
        "executing" => Executing.Instance,
        "awaiting_children" => AwaitingChildren.Instance,
        "backing_off" => new BackingOff(Time(frame, "until")!.Value) { Since = frame.TryGetProperty("goes_on_since", out var since) ? since.GetInt32() : null },
        "sleeping" => new Sleeping(Time(frame, "until")!.Value),
        "awaiting_signal" => new AwaitingSignal(frame.GetProperty("signal").GetString()!, Time(frame, "until")),
        "testing" => new Testing(ReadQuestion(frame)!),
        "then" => new Inside(true, ReadSequence(frame.GetProperty("body"))),
        "else" => new Inside(false, ReadSequence(frame.GetProperty("body"))),
        "branching" => new Branching([.. frame.GetProperty("branches").EnumerateArray().Select(ReadScoped)]),
        "looping" => new Looping(
            frame.GetProperty("turn").GetInt32(), Sequence(frame, "body"), ReadQuestion(frame), Result(frame, "last"), Time(frame, "resting_since")),
        "iterating" => new Iterating(
            Value(frame, "items")!,
            frame.GetProperty("next").GetInt32(),
            frame.GetProperty("active").EnumerateObject().ToImmutableSortedDictionary(Index, item => ReadScoped(item.Value)),
            frame.GetProperty("results").EnumerateObject().ToImmutableSortedDictionary(Index, item => Json.From(item.Value)),
            Time(frame, "resting_since")),
        "trying" => ReadTrying(frame),
        var other => throw new InvalidOperationException($"A snapshot has the unknown activity \"{other}\"."),
    };

    private static void Write(Utf8JsonWriter writer, ScopedFrame frame)
    {
        writer.WriteStartObject();
        WriteNames(writer, "own", frame.Own);
        if (frame.Body is { } body)
            Write(writer, "body", body);
        Write(writer, "result", frame.Result);
        writer.WriteEndObject();
    }

    private static ScopedFrame ReadScoped(JsonElement frame) =>
        new(Sequence(frame, "body"), ReadNames(frame, "own"), Value(frame, "result"));

    private static void Write(Utf8JsonWriter writer, Question question)
    {
        writer.WriteStartObject("question");
        writer.WriteString("path", question.Path);
        writer.WriteString("started_at", question.StartedAt);
        writer.WriteStartObject("answers");
        foreach (var (path, holds) in question.Answers)
            writer.WriteBoolean(path, holds);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static Question? ReadQuestion(JsonElement frame) => !frame.TryGetProperty("question", out var question) ? null : new(
        question.GetProperty("path").GetString()!,
        question.GetProperty("started_at").GetDateTimeOffset(),
        question.GetProperty("answers").EnumerateObject().ToImmutableDictionary(answer => answer.Name, answer => answer.Value.GetBoolean()));

    private static void Write(Utf8JsonWriter writer, Looping looping)
    {
        writer.WriteNumber("turn", looping.Turn);
        if (looping.Body is { } body)
            Write(writer, "body", body);
        if (looping.Question is { } question)
            Write(writer, question);
        WriteResult(writer, "last", looping.Last);
        WriteTime(writer, "resting_since", looping.RestingSince);
    }

    private static void Write(Utf8JsonWriter writer, Iterating iterating)
    {
        Write(writer, "items", iterating.Items);
        writer.WriteNumber("next", iterating.Next);
        writer.WriteStartObject("active");
        foreach (var (index, item) in iterating.Active)
        {
            writer.WritePropertyName(index.ToString(CultureInfo.InvariantCulture));
            Write(writer, item);
        }

        writer.WriteEndObject();
        writer.WriteStartObject("results");
        foreach (var (index, result) in iterating.Results)
            Write(writer, index.ToString(CultureInfo.InvariantCulture), result);
        writer.WriteEndObject();
        WriteTime(writer, "resting_since", iterating.RestingSince);
    }

    private static void Write(Utf8JsonWriter writer, Trying trying)
    {
        writer.WriteString("stage", trying.Stage switch { TryStage.Body => "body", TryStage.Catch => "catch", _ => "finally" });
        writer.WritePropertyName("frame");
        Write(writer, trying.Frame);
        if (trying.Since is { } since)
            writer.WriteNumber("finally_since", since);
        if (trying.Pending is not { } pending)
            return;
        writer.WriteStartObject("pending");
        writer.WriteString("how", pending.How switch { EndKind.Completed => "completed", EndKind.Failed => "failed", EndKind.Broke => "broke", _ => "returned" });
        WriteResult(writer, "value", pending.Value);
        Write(writer, "error", pending.Error);
        if (pending.Resume is { } resume)
        {
            writer.WriteStartObject("resume");
            Write(writer, resume);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static Trying ReadTrying(JsonElement frame) => new(
        frame.GetProperty("stage").GetString() switch { "body" => TryStage.Body, "catch" => TryStage.Catch, _ => TryStage.Finally },
        ReadScoped(frame.GetProperty("frame")),
        !frame.TryGetProperty("pending", out var pending) ? null : new(
            pending.GetProperty("how").GetString() switch
            {
                "completed" => EndKind.Completed,
                "failed" => EndKind.Failed,
                "broke" => EndKind.Broke,
                _ => EndKind.Returned,
            },
            Result(pending, "value"),
            ReadError(pending, "error"),
            pending.TryGetProperty("resume", out var resume) ? ReadTrying(resume) : null))
    {
        Since = frame.TryGetProperty("finally_since", out var since) ? since.GetInt32() : null,
    };

    private static int Index(JsonProperty item) => int.Parse(item.Name, NumberStyles.None, CultureInfo.InvariantCulture);

    private static SequenceFrame? Sequence(JsonElement frame, string name) =>
        frame.TryGetProperty(name, out var sequence) ? ReadSequence(sequence) : null;

    private static Json? Value(JsonElement frame, string name) => frame.TryGetProperty(name, out var value) ? Json.From(value) : null;

    private static Json? Result(JsonElement frame, string name) =>
        frame.TryGetProperty(name, out var value) ? LookAlikes.Read(value, name, LookAlikes.Beside(frame, name)) : null;

    private static DateTimeOffset? Time(JsonElement frame, string name) => frame.TryGetProperty(name, out var time) ? time.GetDateTimeOffset() : null;

    private static void Write(Utf8JsonWriter writer, string name, Json? value)
    {
        if (value is null)
            return;
        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }

    // A result that is handed on, and must then be what it is now.
    private static void WriteResult(Utf8JsonWriter writer, string name, Json? value)
    {
        Write(writer, name, value);
        if (value is not null)
            LookAlikes.Write(writer, name, [KeyValuePair.Create(name, value)]);
    }

    private static void WriteTime(Utf8JsonWriter writer, string name, DateTimeOffset? time)
    {
        if (time is { } at)
            writer.WriteString(name, at);
    }
}
