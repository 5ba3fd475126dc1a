using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Millrace.Configuration;
using Millrace.Execution;
using Millrace.Tests.Support;
using Millrace.Workflows;

namespace Millrace.Tests.Execution;

/// <summary>
/// Whatever the workflow, however and in whatever order its executions end, whatever arrives meanwhile, and wherever a
/// worker dies: the instance ends as the naive interpreter says, and the same nodes are executed at the same times.
/// </summary>
public sealed class MachineProperties
{
    // More of them for a night: MILLRACE_GRAPHS=1000000.
    private static readonly int Graphs = int.Parse(Environment.GetEnvironmentVariable("MILLRACE_GRAPHS") ?? "10000", System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public void Every_run_obeys_the_naive_interpreter() => Check(crashes: false);

    [Fact]
    public void A_crash_and_restore_between_any_two_steps_changes_nothing() => Check(crashes: true);

    private static void Check(bool crashes) =>
        Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue).Select(Case.Of), Case.Shrink), example => Obeys(example, crashes))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(Graphs));

    // Children that are told to end in one moment and end in another one, all of them at the same time.
    [Theory]
    [InlineData(333311259, """
        {"do":[{"join":[[{"sql":"select 1"}],[{"join":[[{"race":[[{"run":"child","compensate":[{"sql":"select 1"}]}]]}],[{"sleep":"400ms"}],[{"run":"child","compensate":[{"sql":"select 1"}]}]]}]]}]}
        """)]
    [InlineData(333311259, """
        {"do":[{"race":[[{"join":[[{"sql":"select 1"}],[{"join":[[{"race":[[{"run":"child","input":"{{ b? }}","compensate":[{"sql":"select {{ a? }}"}]}]]}],[{"sleep":"400ms"}],[{"run":"child","input":"{{ a.body.n? }}","compensate":[{"sql":"select 1"}]}]]}]]}]]}]}
        """)]
    public void What_is_told_to_end_ends_in_no_order_of_its_own(int seed, string definition)
    {
        Obeys(new(seed, definition), crashes: false);
        Obeys(new(seed, definition), crashes: true);
    }

    private const int MostBytes = 100_000;

    private static bool Obeys(Case example, bool crashes)
    {
        var random = new System.Random(example.Seed);
        var signals = Enumerable.Range(0, random.Next(4))
            .Select(i => (At: example.TimeOf(random.Next(1, 6_000_000)), Name: random.Next(2) == 0 ? "s1" : "s2", Data: $"{i}"))
            .OrderBy(signal => signal.At)
            .ToList();
        TimeSpan? cancelAt = random.Next(8) == 0 ? example.TimeOf(random.Next(1, 6_000_000)) : null;

        var run = new VirtualRun(ReadOrNull(example.Definition)!, command => ResultOf(example.Seed, KeyOf(command.Key), command.Node.Kind), resultBytes: MostBytes)
        {
            Duration = command => example.DurationOf(KeyOf(command.Key)),
            CancelDuration = command => example.DurationOf($"{KeyOf(command.Key)} cancelled"),
        };
        foreach (var (at, name, data) in signals)
            run.SignalAt(at, name, data);
        if (cancelAt is { } cancel)
            run.CancelAt(cancel);
        run.Start();
        do
        {
            // A worker parks now and then, and may die at any time.
            if (crashes && run.Outcome is null)
                Disturb(run, random);
        }
        while (run.Step());

        // A value that is put into itself turn after turn doubles; the interpreter knows no limit.
        if (run.History.Exists(execution => execution.Error?.Code is "result_too_large"))
            return true;
        var expected = new NaiveInterpreter((key, kind) => ResultOf(example.Seed, key, kind), example.DurationOf).Run(example.Definition, signals, cancelAt);
        var error = run.Outcome?.Error is { Path: { } path } failure ? $"{path} {failure.Kind}" : null;
        Assert.Equal((expected.Status, expected.Error), (run.Outcome?.Status, error));
        Assert.Equal(expected.Result, run.Outcome?.Result?.ToString());
        Assert.Equal(Sorted(expected.Begun), Sorted(run.Begun.Select(item => ((long)(item.At - VirtualRun.Epoch).TotalMicroseconds, KeyOf(item.Key)))));
        Assert.Equal(run.History.Count, run.History.Select(execution => execution.Key).Distinct().Count());
        return true;
    }

    private static void Disturb(VirtualRun run, System.Random random)
    {
        if (random.Next(4) == 0)
        {
            run.Park();
            run.Unstored.Clear();
        }

        if (random.Next(2) == 0)
        {
            var before = Describe(run.State);
            run.CrashAndRestore([.. run.Unstored]);
            Assert.Equal(before, Describe(run.State));
        }
    }

    private static IEnumerable<string> Sorted(IEnumerable<(long At, string Key)> begun) =>
        begun.OrderBy(item => item.At).ThenBy(item => item.Key, StringComparer.Ordinal).Select(item => $"{item.At} {item.Key}");

    private static string KeyOf(NodeKey key) => NaiveInterpreter.TextOf(key.Path, key.Iteration, key.Attempt);

    private static Workflow? ReadOrNull(string definition) =>
        WorkflowReader.TryRead(JsonElement.Parse(definition), new LimitOptions(), out var workflow, out _) ? workflow : null;

    // The same execution ends the same way in every run of a seed. What is no statement may make what looks like a
    // statement's result, and what is no request what looks like a response.
    private static NodeEvent ResultOf(int seed, string key, string kind)
    {
        var random = RandomOf(seed, key);
        return random.Next(10) switch
        {
            0 or 1 => NodeEvent.Fails("failed", retryable: true),
            2 => NodeEvent.Fails("refused", retryable: false),
            3 or 4 when kind is not "sql" => NodeEvent.Of($$"""{"body":"{\"n\":{{random.Next(2)}}}","encoding":"text"}"""),
            < 7 => NodeEvent.Rows($$"""{"n":{{random.Next(2)}}}"""),
            _ => NodeEvent.Rows(),
        };
    }

    // Hash codes of the platform differ from one process to the next; this one makes a seed good for another day. (FNV-1a)
    private static System.Random RandomOf(int seed, string key)
    {
        var hash = key.Aggregate(2166136261u ^ (uint)seed, (sum, letter) => (sum ^ letter) * 16777619u);
        return new((int)hash);
    }

    private static string Describe(InstanceState state) =>
        Sort(StateJson.Write(state).Element) + state.Outcome;

    // Names have no order.
    private static string Sort(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => $"{{{string.Join(',', value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => $"{member.Name}:{Sort(member.Value)}"))}}}",
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Sort))}]",
        _ => value.GetRawText(),
    };

    /// <summary>A graph, and the seed of everything that happens to it.</summary>
    private sealed record Case(int Seed, string Definition)
    {
        // In some of them much happens at the same time.
        private bool HasTies => Seed % 3 == 0;

        public static Case Of(int seed) => new(seed, RandomGraph.TextOf(new RandomGraph(new System.Random(seed), ties: seed % 3 == 0).Make()));

        /// <summary>How long an execution takes: always the same for a seed.</summary>
        public TimeSpan DurationOf(string key) => TimeOf(RandomOf(Seed, $"{key} lasts").Next(1, 1_000_000));

        public TimeSpan TimeOf(int microseconds) =>
            HasTies ? TimeSpan.FromMilliseconds(100 * ((microseconds / 100_000) + 1)) : TimeSpan.FromMicroseconds(microseconds);

        public static IEnumerable<Case> Shrink(Case example) =>
            GraphShrinker.Shrink(example.Definition).Where(smaller => ReadOrNull(smaller) is not null).Select(smaller => example with { Definition = smaller });
    }
}
