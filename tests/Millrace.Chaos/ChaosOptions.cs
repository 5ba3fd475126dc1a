namespace Millrace.Chaos;

/// <summary>How long, how hard, and on what.</summary>
internal sealed record ChaosOptions
{
    /// <summary>How long faults go on, or longer where a machine is too slow for so many. Afterwards everything is let alone until all instances have ended.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How many server processes run.</summary>
    public int Servers { get; init; } = 3;

    /// <summary>The lease of the servers.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Starts a second.</summary>
    public double Rate { get; init; } = 8;

    /// <summary>Over how many buckets instances are spread.</summary>
    public int Buckets { get; init; } = 1;

    /// <summary>Each fault comes this often, on average, in a minute.</summary>
    public double KillsPerMinute { get; init; } = 18;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double PausesPerMinute { get; init; } = 6;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double RestartsPerMinute { get; init; } = 2;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double CutsPerMinute { get; init; } = 10;

    /// <summary>How many connections one cut takes.</summary>
    public int ConnectionsPerCut { get; init; } = 5;

    /// <summary>The least number of a fault that a run of a length must have had.</summary>
    public static int Least(double perMinute, TimeSpan time) => (int)(perMinute * time.TotalMinutes * 0.84);

    /// <summary>How long a process is paused: past its lease.</summary>
    public TimeSpan Pause => Lease + TimeSpan.FromSeconds(2);

    /// <summary>How long an instance may stand still: until the lease of a lost worker is over, and five seconds.</summary>
    public TimeSpan LongestStall => Lease + TimeSpan.FromSeconds(5);
}
