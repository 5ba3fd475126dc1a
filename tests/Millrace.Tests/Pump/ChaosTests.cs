using Millrace.Chaos;
using Xunit.Abstractions;

namespace Millrace.Tests.Pump;

/// <summary>Alone on the machine: how long something stands still is part of what is asked.</summary>
[CollectionDefinition(nameof(ChaosTests), DisableParallelization = true)]
[Collection(nameof(ChaosTests))]
public sealed class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Two_minutes_of_everything_lose_nothing_and_do_nothing_twice()
    {
        var buckets = Environment.GetEnvironmentVariable("Millrace__Store__Buckets");
        var options = new ChaosOptions { Buckets = buckets is null ? 1 : int.Parse(buckets, System.Globalization.CultureInfo.InvariantCulture) };
        var report = await new ChaosRun(options, output.WriteLine).RunAsync(CancellationToken.None);
        var table = new StringWriter();
        report.Write(Spectre.Console.AnsiConsole.Create(new() { Out = new Spectre.Console.AnsiConsoleOutput(table), Ansi = Spectre.Console.AnsiSupport.No }));
        output.WriteLine(table.ToString());

        Assert.True(report.Holds, table.ToString());
        Assert.True(report is { Kills: >= 30, Pauses: >= 10, Restarts: >= 3, Cuts: >= 50, Acknowledged: >= 300 }, $"too little was broken: {table}");
    }
}
