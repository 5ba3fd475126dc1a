using System.Globalization;
using Millrace.Chaos.Sabotage;
using Spectre.Console;

namespace Millrace.Chaos;

/// <summary>What was done to the servers, and what became of the work.</summary>
internal sealed record ChaosReport(ChaosOptions Options)
{
    private const int StoriesInFull = 3;
    private const int Most = 20;

    /// <summary>What was broken.</summary>
    public required IReadOnlyList<Fault> Faults { get; init; }

    /// <summary>How many servers had a wrong clock.</summary>
    public int WrongClocks { get; init; }

    /// <summary>How many servers had PgBouncer between them and PostgreSQL.</summary>
    public int Pooled { get; init; }

    /// <summary>Starts that were answered with 202 or 200.</summary>
    public int Acknowledged { get; init; }

    /// <summary>Starts without a key that nobody knows what became of: they were made or not, as a whole.</summary>
    public int Unanswered { get; init; }

    /// <summary>Requests that had to be sent again before they were answered.</summary>
    public long Resent { get; init; }

    public int Completed { get; init; }

    /// <summary>Instances that failed as they should.</summary>
    public int Failed { get; init; }

    public int Cancelled { get; init; }

    /// <summary>Instances that take longer than the lease, and were given up because ten workers in a row were lost with them.</summary>
    public int GivenUp { get; init; }

    /// <summary>SQL effects that were expected.</summary>
    public int Effects { get; init; }

    /// <summary>Node executions whose history was compared.</summary>
    public int Executions { get; init; }

    /// <summary>HTTP requests that came again, as they may.</summary>
    public int RepeatedRequests { get; init; }

    public TimeSpan LongestStall { get; init; }

    /// <summary>What stood still for that long.</summary>
    public string LongestStallOf { get; init; } = "";

    /// <summary>What was wrong.</summary>
    public Findings Findings { get; init; } = new();

    /// <summary>What was done, and when.</summary>
    public required Diary Diary { get; init; }

    /// <summary>What the servers wrote.</summary>
    public required ServerLogs Logs { get; init; }

    /// <summary>Whether everything that is promised held.</summary>
    public bool Holds => !Findings.Any() && LongestStall < Options.LongestStall;

    /// <summary>The table that ends a run, and what went wrong in full.</summary>
    public void Write(IAnsiConsole console)
    {
        var table = new Table().AddColumns("what", "count").Border(TableBorder.Markdown);
        foreach (var (what, count) in Rows())
            table.AddRow(Markup.Escape(what), Markup.Escape(Convert.ToString(count, CultureInfo.InvariantCulture)!));
        console.Write(table);
        console.WriteLine($"The seed: {Options.Seed}. The longest stall: {LongestStallOf}");
        if (!Holds)
            WriteFindings(console);
        console.WriteLine(Holds ? "Nothing was lost and nothing happened twice." : $"A promise was broken. The servers' logs are in {Logs.Folder}.");
    }

    private IEnumerable<(string What, object Count)> Rows() =>
    [
        .. Faults.Select(fault => (fault.Name, (object)fault.Count)),
        ($"servers whose clock is {Options.ClockError.TotalMinutes:0} minutes ahead", WrongClocks),
        ("servers behind PgBouncer", Pooled),
        ("starts acknowledged", Acknowledged),
        ("starts without a key that were not answered", Unanswered),
        ("requests sent again before they were answered", Resent),
        ("starts with no or with two instances, or a part of a request", Findings.Count(Finding.Start)),
        ("instances completed", Completed),
        ("instances failed, as they should", Failed),
        ("instances cancelled", Cancelled),
        ("instances of longer nodes than the lease given up after ten lost workers (allowed)", GivenUp),
        ("instances that ended otherwise than they should", Findings.Count(Finding.End)),
        ("instances stuck", Findings.Count(Finding.Stuck)),
        ("node executions compared with what the workflow means", Executions),
        ("histories that the workflow does not allow", Findings.Count(Finding.History)),
        ("SQL effects expected", Effects),
        ("SQL effects missing", Findings.Count(Finding.Missing)),
        ("SQL effects doubled", Findings.Count(Finding.Doubled)),
        ("results that are not the first ones", Findings.Count(Finding.Result)),
        ("HTTP requests lost, or under another idempotency key", Findings.Count(Finding.Request)),
        ("HTTP requests repeated under their key (allowed)", RepeatedRequests),
        ("requests answered wrongly", Findings.Count(Finding.Answer)),
        ("servers that ended by themselves, did not start or told of an error", Findings.Count(Finding.Server)),
        ($"longest stall, s (allowed: {Options.LongestStall.TotalSeconds:0})", LongestStall.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)),
    ];

    private void WriteFindings(IAnsiConsole console)
    {
        foreach (var line in Diary.Lines)
            console.Profile.Out.Writer.WriteLine(line);
        var told = new HashSet<Story>();
        foreach (var group in Findings.GroupBy(item => item.Finding))
        {
            foreach (var (index, (finding, what, story)) in group.Take(Most).Index())
            {
                console.Profile.Out.Writer.WriteLine($"{finding}: {story?.Id} {story?.Start?.Key} ({story?.Start?.Kind.Name}): {what}");
                if (index < StoriesInFull && story is not null && told.Add(story))
                    console.Profile.Out.Writer.WriteLine(story);
            }
        }
    }
}
