using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Execution;

// The kinds that have no sequences inside them.
internal sealed partial class Turn
{
    private Active<Activity> Execute(Execute command)
    {
        Give(command);
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
        var url = UrlText.Of(node.Url, templates);
        // What was filled in may be secret; the address as it was written is not.
        if (!HttpNodeReader.IsHttp(url))
            throw new TemplateException($"\"{ObjectReader.Cut(node.Url.Source)}\", filled in, is not an absolute http or https address");
        return new(
            key,
            node,
            url,
            [.. node.Headers.Select(header => KeyValuePair.Create(header.Name, templates.Text(header.Value)))],
            node.Body is { } body ? templates.Value(body) : null,
            [.. node.Parts.Select(part => PartOf(part, templates))],
            node.Expect?.BodyContains is { } contains ? templates.Text(contains) : null);
    }

    private static RequestPart PartOf(HttpPart part, TemplateScope templates) => new(
        part, templates.Text(part.Name), part.FileName is { } fileName ? templates.Text(fileName) : null, templates.Value(part.Content));

    private ExecuteCall CallCommand(CallNode node, NodeKey key) =>
        new(key, node, node.With is { } with ? Templates(key.Attempt).Value(with) : Json.Null);

    private Active<Activity> StartChild(RunNode node, PathScope scope, NodeFrame frame)
    {
        var input = node.Input is { } given ? Templates(frame.Attempt).Value(given) : Json.Null;
        Give(new StartChildren(scope.Key(node, frame.Attempt), node, [input], []));
        return new(node.Wait ? AwaitingChildren.Instance : Executing.Instance);
    }

    // The first child that fails fails the node; nobody waits for the others any more.
    private Failed<Activity> FailsOfChild(Node node, PathScope scope, NodeFrame frame, NodeFailed failed)
    {
        Give(new CancelChildren(failed.Key));
        return Fails(node, scope, frame, failed.Failure);
    }

    private Progress<Activity> StartSleep(SleepNode node, PathScope scope, NodeFrame frame)
    {
        var text = Templates(frame.Attempt).Text(node.Duration);
        return Duration.TryParse(text, out var duration)
            ? new Active<Activity>(new Sleeping(at + duration))
            : Fails(node, scope, frame, new($"\"{ObjectReader.Cut(text)}\" is not {Duration.Expected}", "template", Retryable: false));
    }

    private static Completed<Activity> Slept(Node node, Sleeping sleeping, NodeFrame frame) => new(Json.Write(writer =>
    {
        writer.WriteStartObject();
        if (node is WaitForScheduleNode)
        {
            writer.WriteBoolean("scheduled", true);
            writer.WriteString("at", sleeping.Until.UtcDateTime);
        }
        else
        {
            writer.WriteBoolean("slept", true);
            writer.WriteNumber("seconds", (decimal)(sleeping.Until - frame.StartedAt).Ticks / TimeSpan.TicksPerSecond);
        }

        writer.WriteEndObject();
    }));

    // A signal that came before its wait is received by it; of several with one name the oldest.
    private Progress<Activity> StartWait(WaitForSignalNode node, NodeFrame frame)
    {
        var name = Templates(frame.Attempt).Text(node.Name);
        if (mailbox.Waiting.Find(signal => signal.Name == name) is { } signal)
        {
            mailbox = mailbox with { Waiting = mailbox.Waiting.Remove(signal) };
            return new Completed<Activity>(SignalResult(name, signal.Data));
        }

        return new Active<Activity>(new AwaitingSignal(name, at + node.Timeout));
    }

    // A signal that has come is in the mailbox; whoever finds it there first takes it out.
    private Progress<Activity> Receive(AwaitingSignal waiting, Signal signal)
    {
        if (signal.Name != waiting.Name || !mailbox.Waiting.Contains(signal))
            return new Active<Activity>(waiting);
        mailbox = mailbox with { Waiting = mailbox.Waiting.Remove(signal) };
        return new Completed<Activity>(SignalResult(waiting.Name, signal.Data));
    }

    /// <summary>Puts a signal that has come into the mailbox; false if it was there before.</summary>
    public bool Deliver(Signal signal)
    {
        if (signal.Number <= mailbox.Seen)
            return false;
        mailbox = new(signal.Number, mailbox.Waiting.Add(signal));
        return true;
    }

    private static Json SignalResult(string name, Json? data) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("signal_name", name);
        writer.WriteBoolean("timed_out", data is null);
        writer.WritePropertyName("data");
        (data ?? Json.Null).WriteTo(writer);
        writer.WriteEndObject();
    });

    private Completed<Activity> BindAll(SetNode node, int attempt)
    {
        // Each value sees the names as they were before the node: order within a set means nothing.
        var templates = Templates(attempt);
        var values = new List<KeyValuePair<string, Json>>();
        var bytes = 0L;
        foreach (var (name, template) in node.Values.Members)
        {
            var value = templates.Value(template);
            templates.Check(bytes += value.Utf8.Length);
            values.Add(new(name, value));
        }

        var result = Json.Write(writer =>
        {
            writer.WriteStartObject();
            foreach (var (name, value) in values)
            {
                writer.WritePropertyName(name);
                value.WriteTo(writer);
            }

            writer.WriteEndObject();
        });
        // What is refused is not kept under its names either.
        if (Excess(node, result) is null)
            names = names.With(values);
        return new(result);
    }
}
