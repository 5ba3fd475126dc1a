using Millrace.Chaos;
using Millrace.Chaos.Kinds;
using Millrace.Execution;
using Millrace.Store;
using Millrace.Tests.Support;
using Millrace.Values;

namespace Millrace.Tests.Pump;

/// <summary>What the chaos harness takes for a history that a workflow allows, and what it does not.</summary>
public sealed class OracleTests
{
    private static readonly Dictionary<string, Kind> Kinds = new Workload("http://127.0.0.1:1", TimeSpan.FromSeconds(6)).Kinds
        .Where(kind => kind.IsInterpretable && kind is not Spread)
        .ToDictionary(kind => kind.Name);

    public static TheoryData<string> Names => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void What_the_machine_does_is_allowed(string kind)
    {
        var story = StoryOf(Kinds[kind]);

        Assert.Contains(story.Status!.Value, story.Kind.Ends);
        Assert.Null(new Oracle().Wrong(story));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_history_in_which_an_execution_is_missing_is_not(string kind)
    {
        var story = StoryOf(Kinds[kind]);
        story.Lines.RemoveAt(story.Lines.FindIndex(line => line.Execution.Kind is "sql"));

        Assert.NotNull(new Oracle().Wrong(story));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Neither_is_one_in_which_something_was_executed_that_nobody_asked_for(string kind)
    {
        var story = StoryOf(Kinds[kind]);
        var last = story.Lines.FindLast(line => line.Execution.Kind is "sql")!.Execution;
        story.Lines.Add(new(last with { Ordinal = story.Lines.Count, Key = last.Key with { Attempt = 2 } }, "worker"));

        Assert.NotNull(new Oracle().Wrong(story));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Nor_another_end_than_that_of_the_history(string kind)
    {
        var other = Kinds[kind].Ends is [InstanceStatus.Failed] ? InstanceStatus.Completed : InstanceStatus.Failed;

        Assert.NotNull(new Oracle().Wrong(StoryOf(Kinds[kind], other)));
    }

    // Everything succeeds but for what divides by zero; the signal comes after a second, and a cancel after ten.
    private static Story StoryOf(Kind kind, InstanceStatus? status = null)
    {
        var input = """{"key":"k1"}""";
        var run = new VirtualRun(Tests.Workflows.ReaderTests.Read(kind.Definition), ResultOf, input);
        run.SignalAt(TimeSpan.FromSeconds(1), "go", "{}");
        run.CancelAt(TimeSpan.FromSeconds(10));
        run.Start();
        run.ToEnd();
        var story = new Story
        {
            Id = run.Facts.Id,
            Parent = null,
            Place = null,
            Input = Json.FromText(input),
            Status = status ?? run.Outcome!.Status,
            Result = run.Outcome!.Result,
            Error = run.Outcome.Error,
            StartedAt = VirtualRun.Epoch,
            Work = "",
            Start = new("k1", kind, 0, run.Facts.Id),
        };
        story.Lines.AddRange(run.Stored.Select(line => new ExecutionView(line.Execution, "worker", line.Events)));
        return story;
    }

    private static NodeEvent ResultOf(Execute command) => command.Key.Path.EndsWith("/try/1", StringComparison.Ordinal)
        ? new(null, new("division by zero", "22012"))
        : NodeEvent.Rows("""{"n":1}""");
}
