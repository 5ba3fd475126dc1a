using System.CommandLine;
using Millrace.Chaos;
using Spectre.Console;

var minutes = new Option<double>("--minutes") { Description = "How long faults go on.", DefaultValueFactory = _ => 2 };
var servers = new Option<int>("--servers") { Description = "How many server processes run.", DefaultValueFactory = _ => 3 };
var lease = new Option<double>("--lease") { Description = "The servers' lease, in seconds.", DefaultValueFactory = _ => 4 };
var rate = new Option<double>("--rate") { Description = "Starts a second.", DefaultValueFactory = _ => 75 };
var buckets = new Option<int>("--buckets") { Description = "Over how many buckets instances are spread.", DefaultValueFactory = _ => 1 };
var seed = new Option<int>("--seed") { Description = "Decides what is started and broken, in which order.", DefaultValueFactory = _ => Random.Shared.Next() };

var root = new RootCommand(
    "Runs servers on a PostgreSQL of their own, loads them, and while they work kills and pauses them, restarts the database or makes it"
    + " read-only, and cuts connections. Then counts: what was acknowledged must have ended as its workflow says, node by node, and every SQL"
    + " effect must be there once. Exit code 0 if so, 1 if not.")
{
    minutes, servers, lease, rate, buckets, seed,
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
        Seed = parsed.GetValue(seed),
    };
    var report = await new ChaosRun(options, Console.WriteLine).RunAsync(cancel);
    report.Write(AnsiConsole.Console);
    return report.Holds ? 0 : 1;
});
return await root.Parse(args).InvokeAsync();
