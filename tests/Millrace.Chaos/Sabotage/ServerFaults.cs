namespace Millrace.Chaos.Sabotage;

/// <summary>A server dies without a word, and another takes its place.</summary>
internal sealed class Kill(ChaosOptions options, Fleet fleet) : Fault("server processes killed (SIGKILL)", options.KillsPerMinute)
{
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        await fleet.KillAsync(random, stop);
        Count++;
    }
}

/// <summary>A server is asked to end, hands back what it runs, and another takes its place, as in every deployment.</summary>
internal sealed class Replace(ChaosOptions options, Fleet fleet) : Fault("server processes told to end (SIGTERM)", options.ReplacementsPerMinute)
{
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        await fleet.ReplaceAsync(random, stop);
        Count++;
    }
}

/// <summary>A server stands still for longer than its lease, and then goes on as if nothing had been.</summary>
internal sealed class Pause(ChaosOptions options, Fleet fleet) : Fault(
    $"server processes paused for {options.Pause.TotalSeconds:0} s (SIGSTOP), lease {options.Lease.TotalSeconds:0} s", options.PausesPerMinute)
{
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        await fleet.PauseAsync(options.Pause, random, stop);
        Count++;
    }
}

/// <summary>All servers stand still at the same time: all leases run out, and nobody is there to take over.</summary>
internal sealed class PauseAll(ChaosOptions options, Fleet fleet, WorkingTime time) : Fault(
    $"times all servers were paused at once for {options.Pause.TotalSeconds:0} s", options.PausesOfAllPerMinute)
{
    public override async Task DoAsync(Random random, CancellationToken stop)
    {
        await fleet.PauseAllAsync(options.Pause, time, stop);
        Count++;
    }
}

/// <summary>Connections between servers and PostgreSQL end with a reset, in the middle of whatever they carry.</summary>
internal sealed class Cut(ChaosOptions options, FaultyProxy proxy) : Fault("connections cut", options.CutsPerMinute)
{
    protected override int Times => options.ConnectionsPerCut;

    public override Task DoAsync(Random random, CancellationToken stop)
    {
        Count += proxy.Cut(options.ConnectionsPerCut);
        return Task.CompletedTask;
    }
}
