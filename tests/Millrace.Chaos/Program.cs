using System.CommandLine;
using Millrace.Chaos;
using Spectre.Console;

var minutes = new Option<double>("--minutes") { Description = "How long faults go on.", DefaultValueFactory = _ => 2 };
var servers = new Option<int>("--servers") { Description = "How many server processes run.", DefaultValueFactory = _ => 3 };
var lease = new Option<double>("--lease") { Description = "The servers' lease, in seconds.", DefaultValueFactory = _ => 4 };
var rate = new Option<double>("--rate") { Description = "Starts a second.", DefaultValueFactory = _ => 8 };
var buckets = new Option<int>("--buckets") { Description = "Over how many buckets instances are spread.", DefaultValueFactory = _ => 1 };

var root = new RootCommand(
    "Runs servers on a PostgreSQL of their own, loads them, and while they work kills and pauses them, restarts the database and cuts"
    + " connections. Then counts: what was acknowledged must have ended, and every SQL effect must be there once. Exit code 0 if so, 1 if not.")
{
    minutes, servers, lease, rate, buckets,
};
root.SetAction(async (parsed, cancel) =>
{
    var options = new ChaosOptions
    {
        Duration = TimeSpan.FromMinutes(parsed.GetValue(minutes)),
        Servers = parsed.GetValue(servers),
        Lease = TimeSpan.FromSeconds(parsed.GetValue(lease)),
        Rate = parsed.GetValue(rate),
        Buckets = parsed.GetValue(buckets),
    };
    var report = await new ChaosRun(options, AnsiConsole.WriteLine).RunAsync(cancel);
    report.Write(AnsiConsole.Console);
    return report.Holds ? 0 : 1;
});
return await root.Parse(args).InvokeAsync();
