using System.Text.Json;
using Millrace.Execution;

namespace Millrace.Tests.Support;

/// <summary>
/// What a definition means, as plainly as it can be said: recursion over the JSON, no time, no state to save. It knows
/// the forms that <see cref="RandomDefinition"/> makes, and is the oracle for the machine.
/// </summary>
internal sealed class NaiveInterpreter
{
    private readonly Func<string, NodeEvent> results;
    private readonly List<string> executed = [];

    private NaiveInterpreter(Func<string, NodeEvent> results) => this.results = results;

    public static (InstanceStatus Status, string? Result, List<string> Executed) Run(string definition, Func<string, NodeEvent> results)
    {
        var interpreter = new NaiveInterpreter(results);
        try
        {
            var last = interpreter.Sequence(JsonElement.Parse(definition).GetProperty("do"), "/do");
            return (InstanceStatus.Completed, last, interpreter.executed);
        }
        catch (ReturnSignal signal)
        {
            return (InstanceStatus.Completed, signal.Value, interpreter.executed);
        }
        catch (FailSignal)
        {
            return (InstanceStatus.Failed, null, interpreter.executed);
        }
    }

    private string Sequence(JsonElement nodes, string path)
    {
        var last = "null";
        var index = 0;
        foreach (var node in nodes.EnumerateArray())
            last = Node(node, $"{path}/{index++}");
        return last;
    }

    private string Node(JsonElement node, string path)
    {
        var attempts = node.TryGetProperty("retry", out var retry) ? retry.GetProperty("attempts").GetInt32() : node.TryGetProperty("http", out _) ? 3 : 1;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return Attempt(node, path, attempt);
            }
            catch (FailSignal signal) when (signal.Retryable && attempt < attempts)
            {
                // Again.
            }
        }
    }

    private string Attempt(JsonElement node, string path, int attempt)
    {
        var inner = attempt == 1 ? path : $"{path}@{attempt}";
        if (node.TryGetProperty("sql", out _) || node.TryGetProperty("http", out _))
            return Execute($"{path}#{attempt}");
        if (node.TryGetProperty("sleep", out var sleep))
            return $$"""{"slept":true,"seconds":{{sleep.GetString() switch { "250ms" => "0.25", "PT2S" => "2", _ => "1.5" }}}}""";
        if (node.TryGetProperty("set", out var set))
            return Fill(set);
        if (node.TryGetProperty("return", out var value))
            throw new ReturnSignal(Fill(value));
        if (node.TryGetProperty("fail", out _))
            throw new FailSignal(retryable: false);
        return Holds(node.GetProperty("if"), $"{inner}/if")
            ? Sequence(node.GetProperty("then"), $"{inner}/then")
            : node.TryGetProperty("else", out var otherwise) ? Sequence(otherwise, $"{inner}/else") : "null";
    }

    private string Execute(string execution)
    {
        executed.Add(execution);
        var end = results(execution);
        return end.Failure is { } failure ? throw new FailSignal(failure.Retryable) : end.Result!.ToString();
    }

    private bool Holds(JsonElement condition, string path)
    {
        // The input is null, so "{{ input.a? }}" is too.
        if (condition.ValueKind is JsonValueKind.String)
            return false;
        var only = condition.EnumerateObject().Single();
        var inner = $"{path}/{only.Name}";
        return only.Name switch
        {
            "sql" => FirstColumn(Execute($"{path}#1")),
            "equals" => only.Value[0].GetInt32() == only.Value[1].GetInt32(),
            "notEquals" => only.Value[0].GetInt32() != only.Value[1].GetInt32(),
            "contains" => true,
            "not" => !Holds(only.Value, inner),
            "all" => Each(only.Value, inner).All(part => Holds(part.Value, part.Path)),
            "any" => Each(only.Value, inner).Any(part => Holds(part.Value, part.Path)),
            _ => throw new InvalidOperationException(only.Name),
        };
    }

    private static IEnumerable<(JsonElement Value, string Path)> Each(JsonElement list, string path) =>
        list.EnumerateArray().Select((value, i) => (value, $"{path}/{i}"));

    private static bool FirstColumn(string result)
    {
        var rows = JsonElement.Parse(result).GetProperty("rows");
        return rows.GetArrayLength() > 0 && rows[0].GetProperty("n").GetInt32() != 0;
    }

    private static string Fill(JsonElement value) => value.GetRawText()
        .Replace("\"{{ input.a? }}\"", "null", StringComparison.Ordinal)
        .Replace("{{ input.a? }}", "", StringComparison.Ordinal);

    private sealed class ReturnSignal(string value) : Exception
    {
        public string Value => value;
    }

    private sealed class FailSignal(bool retryable) : Exception
    {
        public bool Retryable => retryable;
    }
}
