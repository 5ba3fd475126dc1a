using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Millrace.Execution;
using Millrace.Tests.Support;

namespace Millrace.Tests.Execution;

/// <summary>
/// Whatever the workflow, whatever ends how, and wherever a worker dies: the one that takes over has the same state and
/// the instance ends the same way with the same executions.
/// </summary>
public sealed class ReplayProperties
{
    [Fact]
    public void A_crash_between_any_two_steps_changes_nothing() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => CrashingRunEqualsUndisturbedOne(seed))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));

    [Fact]
    public void A_run_obeys_the_naive_interpreter() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => RunEqualsInterpretation(seed))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));

    private static bool CrashingRunEqualsUndisturbedOne(int seed)
    {
        var undisturbed = Make(seed).ToEnd();
        var crashing = Make(seed);
        var random = new System.Random(seed);
        var snapshot = InstanceState.Initial;
        do
        {
            // A snapshot is taken when an instance parks, so now and then, and a crash may come at any time.
            if (random.Next(4) == 0 && crashing.Outcome is null)
                snapshot = crashing.State;
            if (random.Next(2) == 0)
            {
                var before = Describe(crashing.State);
                crashing.CrashAndRestore(snapshot);
                Assert.Equal(before, Describe(crashing.State));
            }
        }
        while (crashing.Step());

        Assert.Equal(Describe(undisturbed.State), Describe(crashing.State));
        Assert.Equal(undisturbed.Story, crashing.Story);
        Assert.Equal(undisturbed.History.Select(execution => execution.EndedAt), crashing.History.Select(execution => execution.EndedAt));
        return true;
    }

    private static bool RunEqualsInterpretation(int seed)
    {
        var run = Make(seed).ToEnd();
        var (status, result, executed) = NaiveInterpreter.Run(Definition(seed), command => ResultOf(seed, command));
        Assert.Equal(status, run.Outcome!.Status);
        Assert.Equal(result, run.Outcome.Result?.ToString());
        Assert.Equal(executed, run.Given.Select(command => $"{command.Key.Path}#{command.Key.Attempt}"));
        return true;
    }

    private static VirtualRun Make(int seed)
    {
        var run = new VirtualRun(Tests.Workflows.ReaderTests.Read(Definition(seed)), command => ResultOf(seed, $"{command.Key.Path}#{command.Key.Attempt}"));
        run.Start();
        return run;
    }

    private static string Definition(int seed) => new RandomDefinition(new System.Random(seed)).Make().ToJsonString();

    // The same execution ends the same way, in every run of a seed.
    private static NodeEvent ResultOf(int seed, string execution)
    {
        var random = new System.Random(HashCode.Combine(seed, string.GetHashCode(execution, StringComparison.Ordinal)));
        return random.Next(10) switch
        {
            0 or 1 => NodeEvent.Fails("failed", retryable: true),
            2 => NodeEvent.Fails("refused", retryable: false),
            < 6 => NodeEvent.Rows($$"""{"n":{{random.Next(2)}}}"""),
            _ => NodeEvent.Rows(),
        };
    }

    private static string Describe(InstanceState state) =>
        new StringBuilder(StateJson.Write(state with
        {
            Names = state.Names.OrderBy(name => name.Key, StringComparer.Ordinal).Aggregate(
            System.Collections.Immutable.ImmutableDictionary<string, Values.Json>.Empty, (names, name) => names.Add(name.Key, name.Value))
        }).ToString())
            .Append(state.Outcome?.Status).Append(state.Outcome?.Result).Append(state.Outcome?.Error).ToString();
}
