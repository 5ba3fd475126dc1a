namespace Millrace.Chaos;

/// <summary>How long, how hard, and on what.</summary>
internal sealed record ChaosOptions
{
    /// <summary>Decides what is started and broken, and in which order; when exactly is up to the machine.</summary>
    public int Seed { get; init; } = System.Random.Shared.Next();

    /// <summary>How long faults go on, or longer where a machine is too slow for so many. Afterwards everything is let alone until all instances have ended.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How much longer faults go on at the most where a machine is too slow for so many.</summary>
    public static TimeSpan MoreTime => TimeSpan.FromMinutes(5);

    /// <summary>How many server processes run.</summary>
    public int Servers { get; init; } = 3;

    /// <summary>The lease of the servers.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Starts a second.</summary>
    public double Rate { get; init; } = 75;

    /// <summary>Over how many buckets instances are spread.</summary>
    public int Buckets { get; init; } = 1;

    /// <summary>Each fault comes this often, on average, in a minute.</summary>
    public double KillsPerMinute { get; init; } = 14;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double ReplacementsPerMinute { get; init; } = 4;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double PausesPerMinute { get; init; } = 6;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double PausesOfAllPerMinute { get; init; } = 1.5;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double RestartsPerMinute { get; init; } = 2;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double ReadOnlyPeriodsPerMinute { get; init; } = 1.5;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double OldSnapshotsPerMinute { get; init; } = 1;

    /// <inheritdoc cref="KillsPerMinute"/>
    public double CutsPerMinute { get; init; } = 10;

    /// <summary>How many connections one cut takes.</summary>
    public int ConnectionsPerCut { get; init; } = 5;

    /// <summary>How long a process is paused: past its lease.</summary>
    public TimeSpan Pause => Lease + TimeSpan.FromSeconds(2);

    /// <summary>How long the database takes no writes at a time.</summary>
    public TimeSpan ReadOnlyPeriod { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a snapshot is held.</summary>
    public TimeSpan OldSnapshot { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>By how much the clock of one of the servers is wrong.</summary>
    public TimeSpan ClockError { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How long an instance may stand still under one lease, or without any. Its node may take longer than the lease, and
    /// wait for its turn at a database or a host before that, on two cores that other processes want, too. Times in which no
    /// server could do anything do not count.
    /// </summary>
    public TimeSpan LongestStall => Lease + TimeSpan.FromSeconds(60);

    /// <summary>The least number of starts, or of a fault, that a run of a length must have had.</summary>
    public static int Least(double perMinute, TimeSpan time) => (int)(perMinute * time.TotalMinutes * 0.84);

    /// <summary>The choices of one part of the run; other parts' do not change them.</summary>
    public Random Random(string part, int number = 0)
    {
        // Hash codes of the platform differ from one process to the next. (FNV-1a)
        var hash = part.Aggregate(2166136261u ^ (uint)Seed, (sum, letter) => (sum ^ letter) * 16777619u);
        return new((int)(hash ^ ((uint)number * 2654435761u)));
    }
}
