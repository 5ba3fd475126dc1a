using Millrace.Execution;
using Millrace.Pump;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Support;

/// <summary>
/// Runs a workflow on the machine alone: time is a number, how and when executions end comes from functions, and the
/// history is kept as the store would keep it.
/// </summary>
internal sealed class VirtualRun
{
    public static readonly DateTimeOffset Epoch = VirtualTime.Epoch;

    private readonly Workflow workflow;
    private readonly Func<Execute, NodeEvent> results;
    private readonly InstanceFacts facts;
    private readonly List<(Execute Command, DateTimeOffset EndsAt, bool IsCancelled)> executing = [];
    private readonly HashSet<NodeKey> told = [];
    // What comes at the same time comes in the order in which it was arranged.
    private readonly PriorityQueue<Func<InstanceEvent>, (DateTimeOffset At, int Number)> arranged = new();
    private int arrangements;
    private readonly List<Signal> signals = [];
    private readonly List<HistoryLine> stored = [];
    private Journal journal;
    private Json? snapshot;

    public VirtualRun(Workflow workflow, Func<Execute, NodeEvent> results, string input = "null", int resultBytes = int.MaxValue, int compensations = int.MaxValue, long compensationBytes = long.MaxValue)
    {
        (this.workflow, this.results) = (workflow, results);
        facts = new(new Guid("01900000-0000-7000-8000-00000000abcd"), "label", "name", Json.FromText(input), Json.FromText("""{"v":"var"}"""))
        {
            ResultBytes = resultBytes,
            Compensations = compensations,
            CompensationBytes = compensationBytes,
        };
        journal = new(workflow, facts, InstanceState.Initial);
    }

    /// <summary>How long an execution takes.</summary>
    public Func<Execute, TimeSpan> Duration { get; init; } = _ => TimeSpan.FromMilliseconds(5);

    /// <summary>How long children that are cancelled take to end.</summary>
    public Func<Execute, TimeSpan> CancelDuration { get; init; } = _ => TimeSpan.FromMilliseconds(1);

    public InstanceState State => journal.State;

    public InstanceState? Resume => journal.Resume;

    public DateTimeOffset Now { get; private set; } = Epoch;

    public List<NodeExecution> History { get; } = [];

    /// <summary>The same as the store would keep it.</summary>
    public IReadOnlyList<HistoryLine> Stored => stored;

    /// <summary>The commands that were given, in order, and when.</summary>
    public List<Execute> Given { get; } = [];

    public List<(DateTimeOffset At, NodeKey Key)> Begun { get; } = [];

    public Outcome? Outcome => State.Outcome;

    public Workflow Workflow => workflow;

    public InstanceFacts Facts => facts;

    public IEnumerable<string> Story => History.Select(execution => $"{execution.Key.Path} {execution.Kind} {execution.Key.Attempt} {execution.Status.Name()}");

    public IEnumerable<string> Waits => System.Text.Json.JsonElement.Parse(WaitingOn.Describe(workflow, facts, State).Utf8.Span).EnumerateArray()
        .Select(wait => $"{wait.GetProperty("path")} {wait.GetProperty("reason")}");

    public static VirtualRun Of(string nodes, Func<Execute, NodeEvent>? results = null, string input = "null")
    {
        var run = new VirtualRun(Tests.Workflows.ReaderTests.Read($$"""{"do":[{{nodes}}]}"""), results ?? (_ => NodeEvent.Rows("""{"n":1}""")), input);
        run.Start();
        return run;
    }

    public void Start() => Take(new Started(Now));

    public void Cancel(string? reason) => Take(new CancelRequested(Now, reason));

    public void Signal(string name, string data = "null")
    {
        signals.Add(new(signals.Count + 1, name, Json.FromText(data)));
        Take(new SignalArrived(Now, signals[^1]));
    }

    /// <summary>Has something happen at a time of its own.</summary>
    public void SignalAt(TimeSpan after, string name, string data) => arranged.Enqueue(
        () =>
        {
            signals.Add(new(signals.Count + 1, name, Json.FromText(data)));
            return new SignalArrived(Now, signals[^1]);
        },
        (Epoch + after, arrangements++));

    public void CancelAt(TimeSpan after) => arranged.Enqueue(() => new CancelRequested(Now, "arranged"), (Epoch + after, arrangements++));

    /// <summary>Takes one step: whatever comes next ends, arrives or is due. False when there is nothing.</summary>
    public bool Step()
    {
        if (State.Outcome is not null)
            return false;
        var end = executing.Count == 0 ? DateTimeOffset.MaxValue : executing.Min(item => item.EndsAt);
        var due = State.NextDue ?? DateTimeOffset.MaxValue;
        var arrives = arranged.TryPeek(out _, out var first) ? first.At : DateTimeOffset.MaxValue;
        var next = Min(end, Min(due, arrives));
        if (next == DateTimeOffset.MaxValue)
            return false;

        Now = next > Now ? next : Now;
        if (next == end)
        {
            End(FirstOf(end));
        }
        else if (next == arrives)
        {
            Take(arranged.Dequeue()());
        }
        else
        {
            Take(new TimerDue(Now));
        }

        return true;
    }

    /// <summary>Ends one execution, whatever else there is.</summary>
    public void StepPast(Func<Execute, bool> which)
    {
        var ended = executing.First(item => which(item.Command));
        Now = ended.EndsAt;
        End(ended);
    }

    public VirtualRun ToEnd()
    {
        for (var steps = 0; Step(); steps++)
            Assert.True(steps < 100_000, "The run does not end.");
        return this;
    }

    /// <summary>Lets time pass up to a moment.</summary>
    public VirtualRun Until(TimeSpan after)
    {
        while (State.Outcome is null && NextAt() <= Epoch + after)
            Step();
        Now = Epoch + after;
        return this;
    }

    /// <summary>What a worker does that parks: the state is kept, and what it contains need not be folded any more.</summary>
    public void Park()
    {
        snapshot = StateJson.Write(State);
        journal = new(workflow, facts, State);
    }

    /// <summary>
    /// What a worker does that takes over with the last snapshot and the history after it. What left no execution since
    /// the last checkpoint is seen once more, at the time at which it was seen first.
    /// </summary>
    public void CrashAndRestore(IReadOnlyList<InstanceEvent> again)
    {
        var from = snapshot is null ? InstanceState.Initial : StateJson.Read(snapshot);
        journal = new(workflow, facts, Replay.Fold(workflow, facts, from, Epoch, stored, signals));
        foreach (var happened in again)
        {
            journal = journal.Take(happened);
            journal = journal.Carried(journal.Commands);
        }

        CheckCommands();
    }

    /// <summary>What a caller does who wants the failed nodes tried again.</summary>
    public void Revive()
    {
        journal = new(workflow, facts, Revival.Of(StateJson.Read(StateJson.Write(journal.Resume!))));
        snapshot = StateJson.Write(journal.State);
        foreach (var command in Machine.Outstanding(workflow, facts, State).Cast<Execute>())
        {
            executing.Add((command, Now + Duration(command), false));
            Given.Add(command);
            Begun.Add((Now, command.Key));
        }

        CheckCommands();
    }

    /// <summary>Lets what is due be due, before anything else that comes at the same time.</summary>
    public void TimerFirst()
    {
        Now = State.NextDue!.Value;
        Take(new TimerDue(Now));
    }

    /// <summary>The events that no checkpoint tells of yet.</summary>
    public List<InstanceEvent> Unstored { get; } = [];

    private DateTimeOffset NextAt()
    {
        var end = executing.Count == 0 ? DateTimeOffset.MaxValue : executing.Min(item => item.EndsAt);
        return Min(end, Min(State.NextDue ?? DateTimeOffset.MaxValue, arranged.TryPeek(out _, out var first) ? first.At : DateTimeOffset.MaxValue));
    }

    private static DateTimeOffset Min(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    private void Take(InstanceEvent happened)
    {
        journal = journal.Take(happened);
        if (happened is not Started)
            Unstored.Add(happened);
        Assert.Equal(Enumerable.Range(History.Count, journal.Ended.Length), journal.Ended.Select(execution => execution.Ordinal));
        if (!journal.Ended.IsEmpty)
        {
            stored.AddRange(journal.Ended.Select((execution, index) => new HistoryLine(execution, index == 0 ? journal.Events() : null)));
            History.AddRange(journal.Ended);
            Unstored.Clear();
        }

        var commands = journal.Commands;
        journal = journal.Stored().Carried(commands);
        foreach (var command in commands)
        {
            if (command is Execute execute)
            {
                executing.Add((execute, Now + Duration(execute), false));
                Given.Add(execute);
                Begun.Add((Now, execute.Key));
            }
            else if (command is CancelChildren && Machine.Outstanding(workflow, facts, State).Any(other => other.Key == command.Key))
            {
                CancelSoon(command.Key);
            }
            else
            {
                // The children of a node that failed are told to end, though the node itself has.
                var stopped = executing.RemoveAll(other => other.Command.Key == command.Key);
                Assert.True(stopped == 1 || command is CancelChildren);
            }
        }

        CheckCommands();
    }

    private void End((Execute Command, DateTimeOffset EndsAt, bool IsCancelled) ended)
    {
        executing.Remove(ended);
        var end = ended.IsCancelled ? NodeEvent.Fails("cancelled") : results(ended.Command);
        Take(end.At(Now, ended.Command.Key));
    }

    // Their end is awaited: it comes sooner, unless it would have come by then anyway.
    private void CancelSoon(NodeKey key)
    {
        var index = executing.FindIndex(item => item.Command.Key == key);
        var (command, endsAt, isCancelled) = executing[index];
        var at = Now + CancelDuration(command);
        executing[index] = at < endsAt ? (command, at, true) : (command, endsAt, isCancelled);
        told.Add(key);
    }

    // Of several at the same time those that began first come first, and those that were told to end last; the order in
    // which they were told says nothing.
    private (Execute Command, DateTimeOffset EndsAt, bool IsCancelled) FirstOf(DateTimeOffset end) => executing
        .Where(item => item.EndsAt == end)
        .MinBy(
            item => told.Contains(item.Command.Key)
                ? NaiveInterpreter.TextOf(item.Command.Key.Path, item.Command.Key.Iteration, item.Command.Key.Attempt)
                : "",
            StringComparer.Ordinal);

    // What runs is what the state says is being executed, at all times: nothing goes on in a branch that was given up, and
    // nothing is forgotten. The children of a failed item need not be cancelled one by one.
    private void CheckCommands() => Assert.Equal(
        executing.Select(item => item.Command.Key).Order(KeyOrder),
        Machine.Outstanding(workflow, facts, State).Select(command => command.Key).Order(KeyOrder));

    private static readonly Comparer<NodeKey> KeyOrder = Comparer<NodeKey>.Create((a, b) => string.CompareOrdinal(a.ToString(), b.ToString()));
}
