using Millrace.Execution;
using Millrace.Nodes;
using Npgsql;

namespace Millrace.Chaos;

/// <summary>Compares what is there with what should be.</summary>
internal sealed class Tally(Load load, Receiver receiver, string store, string other)
{
    private readonly Findings findings = new();
    private readonly Oracle oracle = new();

    public async Task<ChaosReport> CountAsync(ChaosReport report)
    {
        var stories = await new StoryReader(store, other).ReadAsync(load.Starts);
        CompareStarts(stories);
        var started = stories.Where(story => story.Start is not null).ToList();
        foreach (var story in started)
            CompareEnd(story);

        // What did not come to its end for a reason that is told already has done nothing wrong by not doing the rest.
        var unfinished = findings.Where(item => item.Finding is Finding.End or Finding.Stuck).Select(item => item.Story).ToHashSet();
        var finished = started.Where(story => !unfinished.Contains(story) && !story.IsGivenUp).ToList();
        await CompareEffectsAsync(finished);
        var repeated = CompareRequests(finished);
        foreach (var contradiction in load.Contradictions)
            findings.Add(Finding.Answer, contradiction);
        foreach (var fault in report.Logs.Faults)
            findings.Add(Finding.Server, fault);
        return report with
        {
            Acknowledged = load.Acknowledged,
            Unanswered = load.Starts.Values.Count(start => start.Id is null),
            Completed = started.Count(story => story.Status is InstanceStatus.Completed),
            Failed = started.Count(story => story.Status is InstanceStatus.Failed && story.Kind.Ends.Contains(InstanceStatus.Failed)),
            GivenUp = started.Count(story => story.IsGivenUp),
            Cancelled = started.Count(story => story.Status is InstanceStatus.Cancelled),
            Effects = started.Sum(story => story.Kind.Effects.Least + story.Kind.Elsewhere.Least),
            Executions = started.Sum(story => story.Family.Sum(each => each.Lines.Count)),
            RepeatedRequests = repeated,
            Findings = findings,
        };
    }

    // An acknowledged start has one instance, the one that was named; of one that was not, there is one or none; and what
    // came with one request is there as a whole or not at all.
    private void CompareStarts(IReadOnlyList<Story> stories)
    {
        var byKey = stories.ToLookup(StoryReader.KeyOf);
        foreach (var stranger in stories.Where(story => story.Start is null))
            findings.Add(Finding.Start, $"nobody asked for instance {stranger.Id}", stranger);
        foreach (var request in load.Starts.Values.GroupBy(start => start.Request))
        {
            foreach (var start in request)
            {
                var ids = byKey[start.Key].Select(story => story.Id).ToList();
                if (ids.Count > 1 || (start.Id is { } id && !ids.Contains(id)))
                    findings.Add(Finding.Start, $"{start.Key} of request {start.Request}: {string.Join(' ', ids)}; acknowledged was {start.Id}", byKey[start.Key].FirstOrDefault());
            }

            if (request.Count(start => byKey[start.Key].Any()) is var there and > 0 && there < request.Count())
                findings.Add(Finding.Start, $"request {request.Key}: {there} of {request.Count()} starts");
        }
    }

    private void CompareEnd(Story story)
    {
        if (story.IsGivenUp)
            return;
        if (story.Status is not { } status)
            findings.Add(Finding.Stuck, $"it has not ended: {story.Work}", story);
        else if (!story.Kind.Ends.Contains(status))
            findings.Add(Finding.End, $"it is {status.Name()}: {story.Error?.Message}", story);
        else if (story.Family.SelectMany(each => each.History).FirstOrDefault(FailedOfItself) is { } failed)
            findings.Add(Finding.End, $"{failed.Key} failed: {failed.Error!.Message}", story);
        else if ((oracle.Wrong(story) ?? story.Kind.Wrong(story)) is { } wrong)
            findings.Add(Finding.History, wrong, story);
        foreach (var child in story.Children)
        {
            if (child.Status is null && story.Status is not null)
                findings.Add(Finding.Stuck, $"its child {child.Id} has not ended: {child.Work}", story);
            else if (child.Status is not InstanceStatus.Completed)
                findings.Add(Finding.End, $"its child {child.Id} is {child.Status?.Name()}: {child.Error?.Message}", story);
            if (child.History.GroupBy(execution => execution.Key).FirstOrDefault(group => group.Count() > 1) is { } twice)
                findings.Add(Finding.History, $"{twice.Key} is twice in the history of its child {child.Id}", story);
        }

        if (story.Children.Count != story.Kind.Children)
            findings.Add(Finding.History, $"it has {story.Children.Count} children in place of {story.Kind.Children}", story);
    }

    // The only statements that are to fail divide by zero.
    private static bool FailedOfItself(NodeExecution execution) =>
        execution is { Kind: "sql", Status: NodeStatus.Failed, Error.Code: not PostgresErrorCodes.DivisionByZero };

    // What a later node wrote down of an earlier one's result, and what the history has as results, must be the effects that are there.
    private async Task CompareEffectsAsync(List<Story> stories)
    {
        foreach (var story in stories)
        {
            foreach (var (name, count, expected) in story.Kind.Effects.Wrong(story.Effects).Concat(story.Kind.Elsewhere.Wrong(story.Elsewhere)))
                findings.Add(count == 0 || (int.TryParse(expected, out var exact) && count < exact) ? Finding.Missing : Finding.Doubled, $"{name}: {count} in place of {expected}", story);
        }

        var numbers = new Dictionary<long, string>();
        var byName = new Dictionary<string, long>();
        var origins = new List<(string Name, long Origin)>();
        foreach (var database in new[] { store, other })
        {
            await foreach (var row in Direct.RowsAsync(database, "SELECT key, number, origin FROM effect"))
            {
                if (database == store)
                    (numbers[row.GetInt64(1)], byName[row.GetString(0)]) = (row.GetString(0), row.GetInt64(1));
                if (!row.IsDBNull(2))
                    origins.Add((row.GetString(0), row.GetInt64(2)));
            }
        }

        var byKey = stories.ToLookup(StoryReader.KeyOf);
        foreach (var (name, origin) in origins.Where(item => byName.GetValueOrDefault(OriginOf(item.Name)) != item.Origin))
            findings.Add(Finding.Result, $"{name} has {origin}", byKey[name.Split('/')[0]].FirstOrDefault());
        foreach (var story in stories)
        {
            foreach (var number in Numbers(story).Where(number => !numbers.TryGetValue(number, out var name) || name.Split('/')[0] != story.Start!.Key))
                findings.Add(Finding.Result, $"the effect {number} of its history is not there", story);
        }
    }

    private static string OriginOf(string name) => name.Split('/') is [var start, "parent"] ? $"{start}/child" : $"{name.Split('/')[0]}/1";

    private static IEnumerable<long> Numbers(Story story) => story.Family
        .SelectMany(each => each.History)
        .Where(execution => execution is { Kind: "sql", Status: NodeStatus.Completed })
        .SelectMany(execution => execution.Result!.Element.GetProperty("rows").EnumerateArray())
        .Where(row => row.TryGetProperty("n", out _))
        .Select(row => row.GetProperty("n").GetInt64());

    private int CompareRequests(List<Story> stories)
    {
        var received = receiver.Requests.ToLookup(request => request.Path.Split("key=")[1], request => request.Headers.GetValueOrDefault("Idempotency-Key") ?? "");
        var answered = receiver.Answered.Select(request => $"{request.Path.Split("key=")[1]} {request.Headers.GetValueOrDefault("Idempotency-Key")}").ToHashSet();
        var expected = stories.SelectMany(story => story.Kind.Requests.Select(name => (Story: story, Name: $"{story.Start!.Key}/{name}"))).ToList();
        foreach (var (story, name) in expected)
        {
            // Each attempt of a node has a key of its own, under which it may come several times.
            var attempts = story.History.Count(execution => execution.Kind is "http");
            var keys = received[name].Distinct().ToList();
            if (keys.Count == 0 || keys.Contains("") || keys.Count > attempts)
                findings.Add(Finding.Request, $"{name}: {attempts} executions in the history, and the keys {string.Join(' ', keys)}", story);
            foreach (var completed in story.History.Where(execution => execution is { Kind: "http", Status: NodeStatus.Completed }))
            {
                if (!answered.Contains($"{name} {NodeContext.EffectOf(story.Id, completed.Key)}"))
                    findings.Add(Finding.Request, $"{name}: {completed.Key} completed, and no request of it was answered", story);
            }
        }

        return received.Sum(request => request.Count() - request.Distinct().Count());
    }
}
