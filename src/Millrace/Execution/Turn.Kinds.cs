using System.Collections.Immutable;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// What each kind does.
internal sealed partial class Turn
{
    private Active<Activity> Execute(Command command)
    {
        commands.Add(command);
        return new(Executing.Instance);
    }

    private ExecuteSql SqlCommand(SqlNode node, NodeKey key)
    {
        var templates = Templates(key.Attempt);
        return new(key, node, [.. node.Query.Parameters.Select(templates.Read)]);
    }

    private ExecuteHttp HttpCommand(HttpNode node, NodeKey key)
    {
        var templates = Templates(key.Attempt);
        var url = templates.Text(node.Url);
        if (!HttpNodeReader.IsHttp(url))
            throw new TemplateException($"\"{ObjectReader.Cut(url)}\" is not an absolute http or https address");
        return new(
            key,
            node,
            url,
            [.. node.Headers.Select(header => KeyValuePair.Create(header.Name, templates.Text(header.Value)))],
            node.Body is { } body ? templates.Value(body) : null,
            node.Expect?.BodyContains is { } contains ? templates.Text(contains) : null);
    }

    private Progress<Activity> StartSleep(SleepNode node, PathScope scope, NodeFrame frame)
    {
        var text = Templates(frame.Attempt).Text(node.Duration);
        return Duration.TryParse(text, out var duration)
            ? new Active<Activity>(new Sleeping(at + duration))
            : Fails(node, scope, frame.Attempt, new($"\"{ObjectReader.Cut(text)}\" is not {Duration.Expected}", "template", Retryable: false));
    }

    private static Completed<Activity> Slept(Sleeping sleeping, NodeFrame frame) => new(Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteBoolean("slept", true);
        writer.WriteNumber("seconds", (decimal)(sleeping.Due - frame.StartedAt).Ticks / TimeSpan.TicksPerSecond);
        writer.WriteEndObject();
    }));

    private Completed<Activity> BindAll(SetNode node, int attempt)
    {
        // Each value sees the names as they were before the node: order within a set means nothing.
        var templates = Templates(attempt);
        var values = node.Values.Members.Select(member => KeyValuePair.Create(member.Key, templates.Value(member.Value))).ToList();
        names = names.SetItems(values);
        return new(Json.Write(writer =>
        {
            writer.WriteStartObject();
            foreach (var (name, value) in values)
            {
                writer.WritePropertyName(name);
                value.WriteTo(writer);
            }

            writer.WriteEndObject();
        }));
    }

    private Progress<Activity> Ask(IfNode node, PathScope inner, NodeFrame frame, ImmutableDictionary<string, bool> answers)
    {
        var verdict = new ConditionCheck(Templates(frame.Attempt), answers).Check(node.Condition);
        if (verdict.Unanswered is { } statement)
        {
            commands.Add(SqlCommand(statement, Key(statement, inner, 1)));
            return new Active<Activity>(new Testing(statement.Path, at, answers));
        }

        var branch = verdict.Holds ? node.Then : node.Else;
        return FromBranch(Enter(branch, inner), verdict.Holds);
    }

    private Progress<Activity> Answer(IfNode node, PathScope inner, NodeFrame frame, Testing testing, InstanceEvent happened)
    {
        var key = new NodeKey(inner.Of(testing.Path), 0, 1);
        switch (happened)
        {
            case NodeCompleted done when done.Key == key:
                Record(key, "sql", NodeStatus.Completed, testing.StartedAt, done.Result, null);
                var holds = ConditionCheck.FirstColumnHolds(done.Result);
                return Ask(node, inner, frame, testing.Answers.SetItem(testing.Path, holds));
            case NodeFailed failed when failed.Key == key:
                var error = new NodeError(failed.Failure.Message, key.Path, "sql", 1, failed.Failure.Code, failed.Failure.Retryable);
                Record(key, "sql", NodeStatus.Failed, testing.StartedAt, null, error);
                return new Failed<Activity>(error);
            default:
                return new Active<Activity>(testing);
        }
    }

    private Progress<Activity> AdvanceBranch(IfNode node, PathScope inner, Inside inside, InstanceEvent happened) =>
        FromBranch(Advance(inside.Then ? node.Then : node.Else, inner, inside.Body, happened), inside.Then);

    private static Progress<Activity> FromBranch(Progress<SequenceFrame> progress, bool then) =>
        progress.Wrap<Activity>(body => new Inside(then, body));
}
