using Millrace.Execution;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Support;

/// <summary>
/// Runs a workflow on the machine alone: time is a number, results come from a function, and the history is kept as the
/// store would keep it.
/// </summary>
internal sealed class VirtualRun
{
    private static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Workflow workflow;
    private readonly Func<Execute, NodeEvent> results;
    private readonly InstanceFacts facts;
    private readonly List<Execute> executing = [];

    public VirtualRun(Workflow workflow, Func<Execute, NodeEvent> results, string input = "null")
    {
        (this.workflow, this.results) = (workflow, results);
        facts = new(new Guid("01900000-0000-7000-8000-00000000abcd"), "label", "name", Json.FromText(input), Json.FromText("""{"v":"var"}"""));
    }

    public InstanceState State { get; private set; } = InstanceState.Initial;

    public DateTimeOffset Now { get; private set; } = Epoch;

    public List<NodeExecution> History { get; } = [];

    /// <summary>The commands that were given, in order.</summary>
    public List<Execute> Given { get; } = [];

    public Outcome? Outcome => State.Outcome;

    public IEnumerable<string> Story => History.Select(execution => $"{execution.Key.Path} {execution.Kind} {execution.Key.Attempt} {execution.Status.Name()}");

    public static VirtualRun Of(string nodes, Func<Execute, NodeEvent>? results = null, string input = "null")
    {
        var run = new VirtualRun(Tests.Workflows.ReaderTests.Read($$"""{"do":[{{nodes}}]}"""), results ?? (_ => NodeEvent.Rows("""{"n":1}""")), input);
        run.Start();
        return run;
    }

    public void Start() => Take(new Started(Now));

    public void Cancel(string? reason) => Take(new CancelRequested(Now, reason));

    /// <summary>Takes one step: ends what is being executed, or lets time pass to what is due next. False when there is none.</summary>
    public bool Step()
    {
        if (State.Outcome is not null)
            return false;
        if (executing.Count > 0)
        {
            var next = executing[0];
            executing.RemoveAt(0);
            Now += TimeSpan.FromMilliseconds(5);
            Take(results(next).At(Now, next.Key));
            return true;
        }

        if (State.NextDue is not { } due)
            return false;
        Now = due > Now ? due : Now;
        Take(new TimerDue(Now));
        return true;
    }

    public VirtualRun ToEnd()
    {
        for (var steps = 0; Step(); steps++)
            Assert.True(steps < 10_000, "The run does not end.");
        return this;
    }

    /// <summary>What a worker does that takes over with the last snapshot and the history after it.</summary>
    public void CrashAndRestore(InstanceState snapshot)
    {
        State = Replay.Fold(workflow, facts, StateJson.Read(StateJson.Write(snapshot)), Epoch, History);
        executing.Clear();
        foreach (var command in Machine.Outstanding(workflow, facts, State))
            executing.Add((Execute)command);

        // A pause that was over when the worker died leaves no trace of its end; it is over for the next worker too.
        if (State.NextDue <= Now)
            Take(new TimerDue(Now));
    }

    private void Take(InstanceEvent happened)
    {
        var decision = Machine.Decide(workflow, facts, State, happened);
        State = decision.State;
        Assert.Equal(Enumerable.Range(History.Count, decision.Ended.Count), decision.Ended.Select(execution => execution.Ordinal));
        History.AddRange(decision.Ended);
        foreach (var command in decision.Commands)
        {
            if (command is Execute execute)
            {
                executing.Add(execute);
                Given.Add(execute);
            }
            else
            {
                executing.RemoveAll(other => other.Key == command.Key);
            }
        }
    }
}

/// <summary>How an execution is to end.</summary>
internal sealed record NodeEvent(Json? Result, NodeFailure? Failure)
{
    public static NodeEvent Of(string json) => new(Json.FromText(json), null);

    public static NodeEvent Rows(params string[] rows) => Of($$"""{"rows":[{{string.Join(',', rows)}}],"row_count":{{rows.Length}}}""");

    public static NodeEvent Fails(string message, bool retryable = true) => new(null, new(message, "X", retryable));

    public InstanceEvent At(DateTimeOffset now, NodeKey key) => Failure is null ? new NodeCompleted(now, key, Result!) : new NodeFailed(now, key, Failure);
}
