using System.CommandLine;
using Millrace.Bench;
using Millrace.Bench.Load;
using Millrace.Bench.Measures;
using Millrace.Bench.Peers;

var runs = new Option<int>("--runs") { Description = "How often each figure is measured.", DefaultValueFactory = _ => 3, Recursive = true };
var scale = new Option<double>("--scale") { Description = "A factor on sizes and durations; less than 1 is for a look only.", DefaultValueFactory = _ => 1, Recursive = true };
var folder = new Option<string>("--output") { Description = "The folder for the results.", DefaultValueFactory = _ => "bench-results", Recursive = true };
BenchSettings Settings(ParseResult parsed) => new(parsed.GetValue(runs), parsed.GetValue(scale), parsed.GetValue(folder)!);

var root = new RootCommand("Benchmarks of Millrace, each beside what it is compared with. They start a PostgreSQL and everything else they need by themselves; measure on a quiet machine.") { runs, scale, folder };
foreach (var goal in Goal.All)
{
    var command = new Command(goal.Id, goal.Description);
    command.SetAction((parsed, cancel) => BenchRun.RunAsync([goal], Settings(parsed), cancel));
    root.Add(command);
}

var all = new Command("all", "Everything, in about three quarters of an hour.");
all.SetAction((parsed, cancel) => BenchRun.RunAsync(Goal.All, Settings(parsed), cancel));
root.Add(all);

var turns = new Option<int>("--turns") { Description = "How many turns.", DefaultValueFactory = _ => 100_000 };
var node = new Option<string>("--node") { Description = "What a turn does: \"set\" (nothing outside) or \"sql\" (one statement).", DefaultValueFactory = _ => "set" };
node.AcceptOnlyFromAmong("set", "sql");
var loop = new Command("loop", "One instance whose loop turns many times: state, memory and time per turn must stay as they were at first.") { turns, node };
loop.SetAction((parsed, cancel) => LongLoop.RunAsync(parsed.GetValue(turns), parsed.GetValue(node)!, cancel));
root.Add(loop);

// Processes that the measurements start by themselves.
var load = new Command("load") { Hidden = true };
load.SetAction((_, cancel) => HttpLoad.RunAsProcessAsync(cancel));
root.Add(load);
var database = new Argument<string>("connection");
var kestrel = new Command("kestrel") { database };
kestrel.Hidden = true;
kestrel.SetAction((parsed, cancel) => BareKestrel.RunAsProcessAsync(parsed.GetValue(database)!, cancel));
root.Add(kestrel);

return await root.Parse(args).InvokeAsync();
