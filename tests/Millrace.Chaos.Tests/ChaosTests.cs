using Xunit.Abstractions;

namespace Millrace.Chaos.Tests;

/// <summary>A project of its own: it wants the machine for itself, since how long something stands still is part of what is asked.</summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_minute_and_a_half_of_everything_loses_nothing_and_does_nothing_twice()
    {
        var options = new ChaosOptions { Duration = TimeSpan.FromSeconds(85) };
        var report = await new ChaosRun(options, output.WriteLine).RunAsync(CancellationToken.None);
        var table = new StringWriter();
        report.Write(Spectre.Console.AnsiConsole.Create(new() { Out = new Spectre.Console.AnsiConsoleOutput(table), Ansi = Spectre.Console.AnsiSupport.No }));
        output.WriteLine(table.ToString());

        Assert.True(report.Holds, table.ToString());
        Assert.True(report.Acknowledged >= 5000, $"too little was started: {table}");
        Assert.All(report.Faults, fault => Assert.True(fault.Count >= fault.Least(options.Duration), $"too few {fault.Name}: {table}"));
    }
}
