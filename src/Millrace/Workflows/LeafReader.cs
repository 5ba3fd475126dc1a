using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads the kinds that have no sequences inside them, but for SQL and HTTP, which have readers of their own.</summary>
internal sealed class LeafReader(WorkflowReader reader)
{
    private FaultList Faults => reader.Faults;

    public SleepNode? Sleep(ObjectReader node, JsonElement value)
    {
        if (TextAt(node, value, "sleep", Duration.Expected) is not { } text)
            return null;
        if (text.IsConstant && !Duration.TryParse(text.Source, out _))
            Faults.Add(node.At("sleep"), $"\"{ObjectReader.Cut(text.Source)}\" is not {Duration.Expected}.");
        return new(text) { Path = node.Pointer };
    }

    public SetNode? Set(ObjectReader node, JsonElement value)
    {
        var at = node.At("set");
        if (ObjectReader.Of(value, at, Faults) is null)
            return null;
        foreach (var member in value.EnumerateObject())
            reader.CheckName(member.Name, JsonPointer.Append(at, member.Name));
        return new(TemplateParser.Members(value, at, Faults)) { Path = node.Pointer };
    }

    public WaitForSignalNode? WaitForSignal(ObjectReader node, JsonElement value)
    {
        if (TextAt(node, value, "waitForSignal", "the name of a signal") is not { } name)
            return null;
        if (name.IsConstant && string.IsNullOrWhiteSpace(name.Source))
            Faults.Add(node.At("waitForSignal"), "A signal has a name.");
        return new(name) { Path = node.Pointer };
    }

    public WaitForScheduleNode? WaitForSchedule(ObjectReader node, JsonElement value)
    {
        var zone = TimeZone(node);
        if (value.ValueKind is not JsonValueKind.String)
        {
            Faults.Add(node.At("waitForSchedule"), $"Expected a schedule of five fields, found {ObjectReader.Name(value)}.");
            return null;
        }

        if (CronSchedule.Parse(value.GetString()!, zone, out var fault) is { } schedule)
            return new(schedule) { Path = node.Pointer };
        Faults.Add(node.At("waitForSchedule"), $"\"{ObjectReader.Cut(value.GetString()!)}\": {fault}.");
        return null;
    }

    public RunNode? Run(ObjectReader node, JsonElement value)
    {
        var name = NameAt(node, value, "run", "a workflow");
        var input = node.Any("input") is { } given ? TemplateParser.Value(given, node.At("input"), Faults) : null;
        var wait = node.Flag("wait") ?? true;
        return name is null ? null : new(name, input, wait) { Path = node.Pointer };
    }

    public CallNode? Call(ObjectReader node, JsonElement value)
    {
        var name = NameAt(node, value, "call", "a handler");
        var with = node.Any("with") is { } given ? TemplateParser.Value(given, node.At("with"), Faults) : null;
        return name is null ? null : new(name, with) { Path = node.Pointer };
    }

    public ReturnNode? Return(ObjectReader node, JsonElement value, Place place)
    {
        if (place.Barrier is { } barrier)
            Faults.Add(node.At("return"), $"A return cannot leave {barrier}.");
        return TemplateParser.Value(value, node.At("return"), Faults) is { } result ? new(result) { Path = node.Pointer } : null;
    }

    public BreakNode? Break(ObjectReader node, JsonElement value, Place place)
    {
        if (!place.InLoop)
            Faults.Add(node.At("break"), place.Barrier is { } barrier ? $"A break cannot leave {barrier}." : "There is no loop around this that a break could end.");
        return TemplateParser.Value(value, node.At("break"), Faults) is { } result ? new(result) { Path = node.Pointer } : null;
    }

    public FailNode? Fail(ObjectReader node, JsonElement value) =>
        TextAt(node, value, "fail", "a message") is { } message ? new(message) { Path = node.Pointer } : null;

    private TimeZoneInfo TimeZone(ObjectReader node)
    {
        if (node.Text("timeZone") is not { } name)
            return TimeZoneInfo.Utc;
        // Windows names are accepted by the platform on every system; here only the names of the IANA database are.
        if (TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) && zone.HasIanaId)
            return zone;
        Faults.Add(node.At("timeZone"), $"Unknown time zone \"{ObjectReader.Cut(name)}\"; expected an IANA name such as \"Europe/Berlin\".");
        return TimeZoneInfo.Utc;
    }

    private string? NameAt(ObjectReader node, JsonElement value, string key, string whose)
    {
        if (value.ValueKind is JsonValueKind.String && WorkflowReader.IsWorkflowName(value.GetString()!))
            return value.GetString();
        Faults.Add(node.At(key), $"Expected the name of {whose}: 1 to 128 letters, digits, \".\", \"_\" and \"-\".");
        return null;
    }

    private TextTemplate? TextAt(ObjectReader node, JsonElement value, string key, string expected)
    {
        if (value.ValueKind is JsonValueKind.String)
            return TemplateParser.Text(value.GetString()!, node.At(key), Faults);
        Faults.Add(node.At(key), $"Expected {expected}, found {ObjectReader.Name(value)}.");
        return null;
    }
}
