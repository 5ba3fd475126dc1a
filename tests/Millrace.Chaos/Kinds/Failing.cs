using Millrace.Execution;

namespace Millrace.Chaos.Kinds;

/// <summary>It fails by its own will, and what it has done is undone in reverse order.</summary>
internal sealed class Undone : Kind
{
    public override string Name => "undone";

    public override int Share => 6;

    public override string Definition { get; } = $$"""
        {"do":[{{Insert("one", $"\"compensate\":[{Insert("undo-one")}]")}},{{Insert("two", $"\"compensate\":[{Insert("undo-two")}]")}},{"fail":"on purpose"}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("one two undo-one undo-two");

    public override IReadOnlyList<InstanceStatus> Ends { get; } = [InstanceStatus.Failed];

    public override string? Wrong(Story story) =>
        story.OrdinalOf("/do/1/compensate/0") < story.OrdinalOf("/do/0/compensate/0") ? null : "it was not undone in reverse order";
}

/// <summary>A failure inside, after three attempts, that is caught.</summary>
internal sealed class Caught : Kind
{
    public override string Name => "caught";

    public override int Share => 5;

    public override string Definition { get; } = $$$"""
        {"do":[{"try":[{{{Insert("tried")}}},{"sql":"select 1 / 0","retry":{"attempts":3,"backoff":"100ms","jitter":false}},{{{Insert("never")}}}],
                "catch":[{{{Insert("caught")}}}],"finally":[{{{Insert("finally")}}}]},{{{Insert("after")}}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("tried caught finally after");
}

/// <summary>It fails until something is mended, and is then told to go on from where it failed.</summary>
internal sealed class Retried : Kind
{
    private static readonly string[] Expected =
        ["/do/0 0 1 completed", "/do/1 0 1 failed", "/do/1 0 2 completed", "/do/2 0 1 completed"];

    public override string Name => "retried";

    public override int Share => 3;

    public override string Definition { get; } = $$$"""
        {"do":[{{{Insert("first")}}},
          {"sql":"insert into effect (key) select {{ input.key }} || '/second' where 1 / (select count(*) from gate where key = {{ input.key }}) = 1 returning number as n"},
          {{{Insert("third")}}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("first second third");

    public override bool IsDriven => true;

    public override bool IsInterpretable => false;

    public override async Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        await caller.EndAsync(instance.Id, cancel);
        await caller.MendAsync(instance.Key, cancel);
        await caller.AskAsync(instance.Id, "retry", cancel);
    }

    public override string? Wrong(Story story)
    {
        var found = story.History.Select(execution => $"{execution.Key.Path} {execution.Key.Iteration} {execution.Key.Attempt} {execution.Status.Name()}");
        return found.SequenceEqual(Expected) ? null : $"expected was {string.Join(", ", Expected)}";
    }
}
