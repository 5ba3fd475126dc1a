using System.CommandLine;
using Millrace.Server;
using Millrace.Server.Demo;

var urls = new Option<string?>("--urls") { Description = $"Where to listen; several are parted by semicolons. Default: {ServerApp.DefaultUrl}", Recursive = true };
var exit = new Option<bool>("--exit") { Description = "End after the workflow; the exit code is 0 only if it completed." };

var demo = new Command("demo", "Run a sample workflow on sample tables, watch it, and go on serving.") { exit };
demo.SetAction((parsed, cancel) => Commands.RunAsync(
    () => DemoCommand.RunAsync(parsed.GetValue(urls), parsed.GetValue(exit), cancel)));

var root = new RootCommand("""
    Millrace: durable workflows on PostgreSQL. Serves the HTTP API and runs instances.
    Settings come from the environment (Millrace__ConnectionString, Millrace__ApiKey, …). Without a connection string
    it runs a local PostgreSQL of its own.
    """) { urls, demo };
root.SetAction((parsed, cancel) => Commands.RunAsync(() => ServeCommand.RunAsync(parsed.GetValue(urls), cancel)));

return await root.Parse(args).InvokeAsync();
