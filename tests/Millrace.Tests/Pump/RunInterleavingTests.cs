using System.Globalization;
using Millrace.Execution;
using Millrace.Tests.Support;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Tests.Pump;

/// <summary>
/// Runs of one instance on two servers and a model of its row, where whatever can happen does, in any order: requests,
/// claims, renewals whose answers overtake each other, lost answers, pauses longer than the lease, stops, deaths, errors of
/// our own. However that goes, the instance comes to its end once it is let, and nothing is told twice.
/// </summary>
public sealed class RunInterleavingTests
{
    private static readonly int Interleavings =
        int.Parse(Environment.GetEnvironmentVariable("MILLRACE_INTERLEAVINGS") ?? "50000", CultureInfo.InvariantCulture);

    private static readonly Workflow[] Workflows =
    [
        .. new[]
        {
            """{"sql":"a"},{"sql":"b"},{"return":"done"}""",
            """{"sql":"a"},{"sleep":"5s"},{"sql":"b"}""",
            """{"waitForSignal":"s"},{"sql":"a"},{"waitForSignal":"t","timeout":"20s"},{"sql":"b"}""",
            """{"join":[[{"sql":"a"},{"sleep":"2s"},{"sql":"b"}],[{"waitForSignal":"s"},{"sql":"c"}]]},{"sql":"d"}""",
            """{"race":[[{"sql":"a"},{"sql":"b"}],[{"waitForSignal":"s"}]]},{"sql":"c"}""",
            """{"run":"child","as":"r"},{"sql":"a"}""",
            """{"join":[[{"run":"child"}],[{"sql":"a"},{"sql":"b"}]]},{"waitForSignal":"s"}""",
            """{"loop":[{"sql":"a"},{"sleep":"500ms"}],"max":6},{"sql":"b"}""",
            """{"try":[{"sql":"a"},{"sql":"b","retry":{"attempts":3,"backoff":"500ms"} }],"catch":[{"sql":"c"}],"finally":[{"sleep":"1s"},{"sql":"d"}]},{"sql":"e"}""",
            """{"join":[[{"sql":"a","compensate":[{"sql":"u"}]}],[{"sql":"b","timeout":"2s"}],[{"run":"child","compensate":[{"sql":"v"}]}]]},{"sql":"c"}""",
            """{"try":[{"run":"child","timeout":"3s","retry":{"attempts":2,"backoff":"1s"},"compensate":[{"sql":"u"}]}],"catch":[{"sleep":"2s"},{"sql":"c"}]}""",
            """{"try":[{"loop":[{"race":[[{"run":"child","compensate":[{"sql":"u"}]}],[{"sleep":"2s"}]]}],"max":3},{"fail":"x"}],"catch":[{"sql":"c"}]}""",
            """{"try":[{"forEach":[1,2],"do":[{"sql":"a","compensate":[{"sql":"u"}]},{"run":"child","timeout":"3s","compensate":[{"sql":"v"}]}]}],"catch":[{"sql":"c"}]}""",
            """{"forEach":[1,2],"spread":true,"do":[{"sql":"a"}],"timeout":"4s","compensate":[{"sql":"u"}]}""",
            """{"race":[[{"run":"child"}],[{"sleep":"1500ms"}]]},{"waitForSignal":"s"}""",
            """{"sql":"a","compensate":[{"sql":"u"},{"sleep":"3s"},{"sql":"v"}]},{"waitForSignal":"s"},{"sql":"b"}""",
        }.Select(nodes => Tests.Workflows.ReaderTests.Read($$"""{"do":[{{nodes}}]}""")),
    ];

    [Fact]
    public void However_requests_claims_answers_pauses_and_deaths_interleave_an_instance_comes_to_its_end()
    {
        Parallel.For(0, Interleavings, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i => Seeds.Try(unchecked(Seeds.First + i), seed => new Interleaving(seed).Run()));
    }

    private sealed class Interleaving
    {
        private readonly int seed;
        private readonly Random random;
        private readonly ModelRow row;
        private readonly Workflow workflow;
        private readonly InstanceFacts facts;
        private readonly List<ModelServer> servers = [];
        private readonly List<string> story = [];
        private DateTimeOffset now = VirtualRun.Epoch;
        private int started;
        private int losses;
        private int failures;
        private int pauses;

        public Interleaving(int seed)
        {
            (this.seed, random) = (seed, new(seed));
            workflow = Workflows[random.Next(Workflows.Length)];
            facts = new(new Guid("01900000-0000-7000-8000-00000000abcd"), null, null, Json.Null, Json.FromText("{}"));
            row = new(facts.Id);
            Add();
            Add();
        }

        public void Run()
        {
            var steps = random.Next(20, 160);
            for (var i = 0; i < steps; i++)
            {
                Anything();
                CheckRow();
            }

            Settle();
            Check();
        }

        private void Add() => servers.Add(new(row, workflow, facts, $"worker {++started}", random));

        private void Anything()
        {
            var server = servers[random.Next(servers.Count)];
            switch (random.Next(40))
            {
                case 0:
                    Say("suspend");
                    row.Suspend();
                    Tell();
                    break;
                case 1 or 2:
                    Say("resume");
                    row.Resume(now);
                    Tell();
                    break;
                case 3 when random.Next(6) == 0:
                    Say("cancel");
                    row.Cancel(now);
                    Tell();
                    break;
                case 4 or 5:
                    Say("signal");
                    row.Signal(random.Next(2) == 0 ? "s" : "t", now);
                    Tell();
                    break;
                case 6:
                    foreach (var group in row.OpenGroups.ToList())
                        row.EndChildren(group, now);
                    Tell();
                    break;
                case 7:
                    Pass(TimeSpan.FromMilliseconds(random.Next(1500)));
                    break;
                case 8 when random.Next(4) == 0:
                    Say("pause");
                    server.IsPaused = !server.IsPaused;
                    pauses += server.IsPaused ? 1 : 0;
                    Pass(ModelServer.Lease);
                    break;
                case 9 when random.Next(6) == 0 && losses < 4:
                    Say("death");
                    losses++;
                    failures += server.Failures;
                    servers.Remove(server);
                    Add();
                    break;
                case 10 when random.Next(6) == 0:
                    Say("stop");
                    server.Interrupt();
                    break;
                case 11 when random.Next(6) == 0 && losses < 4 && !server.IsPaused:
                    Say("error of our own");
                    losses++;
                    server.EndNode(now, breaks: true);
                    break;
                case 12 when random.Next(3) == 0 && !server.IsPaused:
                    Say("failure");
                    server.EndNode(now, fails: true);
                    break;
                default:
                    Work(server);
                    break;
            }
        }

        private void Work(ModelServer server)
        {
            if (server.IsPaused)
                return;
            switch (random.Next(12))
            {
                case 0 or 1:
                    server.Claim(now);
                    break;
                case 2:
                    server.Renew(now);
                    break;
                case 3:
                    server.AnswerRenewal();
                    break;
                case 4:
                    server.EndNode(now);
                    break;
                default:
                    server.Step(now);
                    break;
            }
        }

        // A call is told to the runs of the process that took it; others find out by themselves.
        private void Tell()
        {
            if (random.Next(2) == 0)
                servers[random.Next(servers.Count)].Nudge();
        }

        private void Pass(TimeSpan time) => now += time;

        // From here on nothing is in the way: the instance must come to its end by itself.
        private void Settle()
        {
            foreach (var server in servers)
                server.IsPaused = false;
            row.Resume(now);
            for (var round = 0; round < 400 && row.Outcome is null; round++)
            {
                if (round is 20 or 40)
                {
                    // What has come already must not be lost.
                    foreach (var name in new[] { "s", "t" }.Where(name => !row.Signals.Exists(signal => signal.Name == name)))
                        row.Signal(name, now);
                }

                // Those that are told end at once, the others take long.
                foreach (var group in row.OpenGroups.Where(group => round > 200 || row.ToldGroups.Contains(group)).ToList())
                    row.EndChildren(group, now);
                foreach (var server in servers)
                {
                    server.Claim(now);
                    for (var i = 0; i < 12; i++)
                        server.Step(now);
                    server.EndNode(now);
                    server.Renew(now);
                    while (random.Next(4) > 0)
                        server.AnswerRenewal();
                }

                CheckRow();
                Pass(TimeSpan.FromMilliseconds(400));
            }
        }

        private void CheckRow()
        {
            if (row.WhyStuck(workflow, facts) is { } why)
                Assert.Fail(Tell(why));
        }

        private void Check()
        {
            Assert.True(row.Outcome is not null, Tell("it never ends"));
            Assert.True(
                row.Outcome!.Status is InstanceStatus.Completed
                || (row.Outcome.Status is InstanceStatus.Cancelled && row.CancelRequested)
                || (row.Outcome.Error?.Code is "worker_lost" && losses + pauses >= ModelServer.MaxTakeovers)
                || row.Outcome.Error?.Code is "timeout"
                || (row.Outcome.Error?.Code is "no" && failures + servers.Sum(server => server.Failures) > 0),
                Tell($"it ends {row.Outcome}"));
            Assert.True(row.Orphans.Count == 0, Tell("children are left that nobody has told of its end"));
            Assert.True(servers.TrueForAll(server => server.Errors.Count == 0), Tell(string.Join('\n', servers.SelectMany(server => server.Errors))));
            var history = row.History.ConvertAll(line => line.Execution);
            Assert.True(history.Select(execution => execution.Ordinal).SequenceEqual(Enumerable.Range(0, history.Count)), Tell("the history has gaps"));
            Assert.True(history.Select(execution => execution.Key).Distinct().Count() == history.Count, Tell("something is told twice"));
        }

        private void Say(string what) => story.Add($"{now:ss.fff} {what}");

        private string Tell(string what) => $"seed {seed}: {what}\n{workflow.Document}\n{row.Standing}, ready {row.ReadyAt:ss.fff}, held {row.IsHeld}\n{string.Join(", ", story)}";
    }
}
