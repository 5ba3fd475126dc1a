using System.CommandLine;
using Millrace.Bench;

var turns = new Option<int>("--turns") { Description = "How many turns.", DefaultValueFactory = _ => 100_000 };
var node = new Option<string>("--node") { Description = "What a turn does: \"set\" (nothing outside) or \"sql\" (one statement).", DefaultValueFactory = _ => "set" };
node.AcceptOnlyFromAmong("set", "sql");

var loop = new Command("loop", "One instance whose loop turns many times: state, memory and time per turn must stay as they were at first.") { turns, node };
loop.SetAction((parsed, cancel) => LoopBench.RunAsync(parsed.GetValue(turns), parsed.GetValue(node)!, cancel));

var root = new RootCommand("Benchmarks of Millrace. Each starts a server and a PostgreSQL of its own, in this process and its children.") { loop };
return await root.Parse(args).InvokeAsync();
