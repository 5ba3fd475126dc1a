using Millrace.Execution;

namespace Millrace.Chaos.Kinds;

/// <summary>
/// One kind of instance: what it runs, what is done to it from outside, which effects it must leave and how it may end.
/// <c>input.key</c> is the key of its start. Definitions keep to the forms that the naive interpreter knows: durations in
/// milliseconds, and templates of whole values only, except in statements and requests.
/// </summary>
internal abstract class Kind
{
    /// <summary>Its name, and that of its workflow.</summary>
    public abstract string Name { get; }

    /// <summary>How many of it there are, in proportion to the others.</summary>
    public abstract int Share { get; }

    /// <summary>Its definition.</summary>
    public abstract string Definition { get; }

    /// <summary>What it leaves in the store's database.</summary>
    public virtual EffectCounts Effects => EffectCounts.None;

    /// <summary>What it leaves in the second database.</summary>
    public virtual EffectCounts Elsewhere => EffectCounts.None;

    /// <summary>How many instances it starts.</summary>
    public virtual int Children => 0;

    /// <summary>The HTTP requests that it sends, by the names behind the key.</summary>
    public virtual IReadOnlyList<string> Requests => [];

    /// <summary>Whether something must be done to it from outside, for which its id is needed.</summary>
    public virtual bool IsDriven => false;

    /// <summary>How it may end.</summary>
    public virtual IReadOnlyList<InstanceStatus> Ends => [InstanceStatus.Completed];

    /// <summary>Whether workers may be lost with it so often in a row that it is given up.</summary>
    public virtual bool MayLoseItsWorkers => false;

    /// <summary>Whether the naive interpreter can say what its history must be; it knows of no second life after a failure.</summary>
    public virtual bool IsInterpretable => true;

    /// <summary>Does to an instance whatever is to be done.</summary>
    public virtual Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel) => Task.CompletedTask;

    /// <summary>What else is wrong with one that has ended; null where nothing is.</summary>
    public virtual string? Wrong(Story story) => null;

    /// <summary>A statement with one effect; its result is the effect's number.</summary>
    protected static string Insert(string name, string more = "") =>
        $$$"""{"sql":"insert into effect (key) values ({{ input.key }} || '/{{{name}}}') returning number as n"{{{(more.Length > 0 ? "," + more : "")}}}}""";
}

/// <summary>An instance that something is done to.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Key">The key of its start.</param>
/// <param name="Random">For what is done, and when.</param>
internal sealed record Driven(Guid Id, string Key, Random Random)
{
    /// <summary>Lets some time pass.</summary>
    public Task PauseAsync(int mostMilliseconds, CancellationToken cancel) => Task.Delay(Random.Next(mostMilliseconds), cancel);
}
