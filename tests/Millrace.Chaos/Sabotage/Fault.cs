namespace Millrace.Chaos.Sabotage;

/// <summary>One way in which things are broken while the servers work.</summary>
/// <param name="name">What is done, as the report says it.</param>
/// <param name="perMinute">How often.</param>
internal abstract class Fault(string name, double perMinute)
{
    public string Name => name;

    public double PerMinute => perMinute;

    /// <summary>How often it has been done.</summary>
    public int Count { get; protected set; }

    /// <summary>How often it is done for each time that it comes.</summary>
    protected virtual int Times => 1;

    /// <summary>How often it must have been done in a time.</summary>
    public int Least(TimeSpan time) => ChaosOptions.Least(perMinute * Times, time);

    /// <summary>Does it, and ends it.</summary>
    /// <param name="random">For whatever is chosen.</param>
    /// <param name="stop">No more is to be begun; what has begun is ended properly.</param>
    public abstract Task DoAsync(Random random, CancellationToken stop);
}
