using System.Globalization;
using Spectre.Console;

namespace Millrace.Chaos;

/// <summary>What was done to the servers, and what became of the work.</summary>
internal sealed record ChaosReport(ChaosOptions Options)
{
    public int Kills { get; init; }

    public int Pauses { get; init; }

    public int Restarts { get; init; }

    public int Cuts { get; init; }

    /// <summary>Starts that were answered with 202 or 200.</summary>
    public int Acknowledged { get; init; }

    /// <summary>Requests that had to be sent again before a start was acknowledged.</summary>
    public long Resent { get; init; }

    /// <summary>Instances that completed.</summary>
    public int Completed { get; init; }

    /// <summary>Instances that ended otherwise, each with its error.</summary>
    public IReadOnlyList<string> Failed { get; init; } = [];

    /// <summary>Instances that had not ended when patience did.</summary>
    public IReadOnlyList<string> Stuck { get; init; } = [];

    /// <summary>Starts that made more than one instance, or none.</summary>
    public IReadOnlyList<string> WrongStarts { get; init; } = [];

    /// <summary>SQL effects that were expected.</summary>
    public int Effects { get; init; }

    public IReadOnlyList<string> Missing { get; init; } = [];

    public IReadOnlyList<string> Doubled { get; init; } = [];

    /// <summary>Results that were not those of the effect that is there.</summary>
    public IReadOnlyList<string> WrongResults { get; init; } = [];

    /// <summary>HTTP requests that had no or more than one idempotency key, or never came.</summary>
    public IReadOnlyList<string> WrongRequests { get; init; } = [];

    /// <summary>HTTP requests that came again, as they may.</summary>
    public int RepeatedRequests { get; init; }

    public TimeSpan LongestStall { get; init; }

    /// <summary>What stood still for that long.</summary>
    public string LongestStallOf { get; init; } = "";

    /// <summary>Whether everything that is promised held.</summary>
    public bool Holds => Failed is [] && Stuck is [] && WrongStarts is [] && Missing is [] && Doubled is [] && WrongResults is [] && WrongRequests is []
        && LongestStall < Options.LongestStall;

    /// <summary>The table that ends a run, and what went wrong in full.</summary>
    public void Write(IAnsiConsole console)
    {
        var table = new Table().AddColumns("what", "count").Border(TableBorder.Markdown);
        void Row(string what, object count) => table.AddRow(Markup.Escape(what), Markup.Escape(Convert.ToString(count, CultureInfo.InvariantCulture)!));
        Row("server processes killed (SIGKILL)", Kills);
        Row($"server processes paused for {Options.Pause.TotalSeconds:0} s (SIGSTOP), lease {Options.Lease.TotalSeconds:0} s", Pauses);
        Row("PostgreSQL restarted in immediate mode", Restarts);
        Row("connections cut", Cuts);
        Row("starts acknowledged", Acknowledged);
        Row("start requests sent again before that", Resent);
        Row("starts with no or with two instances", WrongStarts.Count);
        Row("instances completed", Completed);
        Row("instances failed", Failed.Count);
        Row("instances stuck", Stuck.Count);
        Row("SQL effects expected", Effects);
        Row("SQL effects missing", Missing.Count);
        Row("SQL effects doubled", Doubled.Count);
        Row("results that are not the first ones", WrongResults.Count);
        Row("HTTP requests lost, or under another idempotency key", WrongRequests.Count);
        Row("HTTP requests repeated under their key (allowed)", RepeatedRequests);
        Row($"longest stall, s (allowed: {Options.LongestStall.TotalSeconds:0})", LongestStall.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture));
        console.Write(table);
        foreach (var (what, list) in new (string, IReadOnlyList<string>)[]
        {
            ("failed", Failed), ("stuck", Stuck), ("wrong start", WrongStarts), ("missing", Missing), ("doubled", Doubled), ("wrong result", WrongResults),
            ("wrong request", WrongRequests),
        })
        {
            foreach (var item in list.Take(20))
                console.WriteLine($"{what}: {item}");
        }

        console.WriteLine($"The longest stall: {LongestStallOf}");
        console.WriteLine(Holds ? "Nothing was lost and nothing happened twice." : "A promise was broken.");
    }
}
