using System.CommandLine;
using Millrace.Server;
using Millrace.Server.Demo;
using Millrace.Sizing;

var urls = new Option<string?>("--urls") { Description = $"Where to listen; several are parted by semicolons. Default: {ServerApp.DefaultUrl}", Recursive = true };
var exit = new Option<bool>("--exit") { Description = "End after the workflow; the exit code is 0 only if it completed." };

var demo = new Command("demo", "Run a sample workflow on sample tables, watch it, and go on serving.") { exit };
demo.SetAction((parsed, _) => Commands.RunAsync(
    stop => DemoCommand.RunAsync(parsed.GetValue(urls), parsed.GetValue(exit), stop)));

var sku = new Option<string?>("--sku") { Description = $"The size of the function app's instances: {string.Join(", ", HostSku.All.Select(host => host.Name))}. Default: what suits the PostgreSQL." };
var postgres = new Option<string?>("--postgres") { Description = $"The size of the PostgreSQL: {string.Join(", ", PostgresSku.All.Select(size => size.Name))}." };
var instances = new Option<int?>("--instances") { Description = "How many instances a group of functions may grow to. Default: what the connections allow." };
var sizing = new Command("sizing", "Print the sizing profiles of the function app, or work one out.") { sku, postgres, instances };
sizing.SetAction((parsed, _) => Commands.RunAsync(
    _ => Task.FromResult(SizingCommand.Run(parsed.GetValue(sku), parsed.GetValue(postgres), parsed.GetValue(instances), Console.Out))));

var distribute = new Command("distribute", "Spread the store's tables over a distributed PostgreSQL (Citus, Azure's elastic clusters), by bucket.");
distribute.SetAction((_, _) => Commands.RunAsync(stop => DistributeCommand.RunAsync(_ => { }, Console.WriteLine, stop)));

var root = new RootCommand("""
    Millrace: durable workflows on PostgreSQL. Serves the HTTP API and runs instances.
    Settings come from the environment (Millrace__ConnectionString, Millrace__ApiKey, …). Without a connection string
    it runs a local PostgreSQL of its own.
    """) { urls, demo, sizing, distribute };
root.SetAction((parsed, _) => Commands.RunAsync(stop => ServeCommand.RunAsync(parsed.GetValue(urls), stop)));

// Commands heed signals themselves, and know for how long what runs may go on then; a command line would give it two seconds.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
