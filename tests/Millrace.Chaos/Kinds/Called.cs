using Millrace.Execution;

namespace Millrace.Chaos.Kinds;

/// <summary>It waits for a signal, which may also come before it does.</summary>
internal sealed class Signalled : Kind
{
    public override string Name => "signal";

    public override int Share => 8;

    public override string Definition { get; } = $$"""{"do":[{{Insert("before")}},{"waitForSignal":"go","as":"s"},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("before after");

    public override bool IsDriven => true;

    public override async Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        await instance.PauseAsync(1500, cancel);
        await caller.AskAsync(instance.Id, "signals/go", cancel);
    }
}

/// <summary>It waits for a signal that comes at about the time at which it gives up.</summary>
internal sealed class Timed : Kind
{
    public override string Name => "timed";

    public override int Share => 5;

    public override string Definition { get; } = $$"""{"do":[{{Insert("before")}},{"waitForSignal":"go","timeout":"700ms"},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("before after");

    public override bool IsDriven => true;

    public override async Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        await instance.PauseAsync(1500, cancel);
        await caller.AskAsync(instance.Id, "signals/go", cancel);
    }
}

/// <summary>It is suspended while it works, and resumed: at once, or after a while.</summary>
internal sealed class Suspended : Kind
{
    public override string Name => "suspended";

    public override int Share => 6;

    public override string Definition { get; } =
        $$"""{"do":[{"loop":[{{Insert("turn")}},{"sleep":"150ms"}],"max":5},{"waitForSignal":"go"},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("turn*5 after");

    public override bool IsDriven => true;

    public override async Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        for (var times = instance.Random.Next(1, 4); times > 0; times--)
        {
            await instance.PauseAsync(700, cancel);
            await caller.AskAsync(instance.Id, "suspend", cancel);
            if (instance.Random.Next(2) == 0)
                await instance.PauseAsync(500, cancel);
            await caller.AskAsync(instance.Id, "resume", cancel);
        }

        await caller.AskAsync(instance.Id, "signals/go", cancel);
    }
}

/// <summary>It is cancelled somewhere on its way. Whatever it has done by then, or may have done, is undone.</summary>
internal sealed class Cancelled : Kind
{
    public override string Name => "cancelled";

    public override int Share => 6;

    public override string Definition { get; } = $$$"""
        {"do":[{{{Insert("one", $"\"compensate\":[{Insert("undo-one")}]")}}},
          {"sql":"insert into effect (key) select {{ input.key }} || '/two' from pg_sleep(0.5) returning number as n","compensate":[{{{Insert("undo-two")}}}]},
          {"waitForSignal":"never"}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("one? two? undo-one? undo-two?");

    public override bool IsDriven => true;

    public override IReadOnlyList<InstanceStatus> Ends { get; } = [InstanceStatus.Cancelled];

    public override async Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        await instance.PauseAsync(1500, cancel);
        await caller.AskAsync(instance.Id, "cancel", cancel);
    }

    public override string? Wrong(Story story) => story.IsUndone("one") && story.IsUndone("two") ? null : "something that was done was not undone";
}

/// <summary>Signalled, suspended, resumed and cancelled by several callers at once.</summary>
internal sealed class Harried : Kind
{
    public override string Name => "harried";

    public override int Share => 4;

    public override string Definition { get; } =
        $$"""{"do":[{{Insert("before", $"\"compensate\":[{Insert("undo-before")}]")}},{"waitForSignal":"go"},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("before? after? undo-before?");

    public override bool IsDriven => true;

    public override IReadOnlyList<InstanceStatus> Ends { get; } = [InstanceStatus.Completed, InstanceStatus.Cancelled];

    public override async Task DriveAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        await instance.PauseAsync(500, cancel);
        var isCancelled = instance.Random.Next(2) == 0;
        await Task.WhenAll(
            SuspendAndResumeAsync(caller, instance, cancel),
            caller.AskAsync(instance.Id, "signals/go", cancel),
            isCancelled ? caller.AskAsync(instance.Id, "cancel", cancel) : Task.CompletedTask);
    }

    public override string? Wrong(Story story) => (story.Status, story.IsUndone("before")) switch
    {
        (InstanceStatus.Completed, _) when !story.Effects.ContainsKey("after") || story.Effects.ContainsKey("undo-before") => "it completed without all, or was undone",
        (InstanceStatus.Cancelled, false) => "what was done was not undone",
        _ => null,
    };

    private static async Task SuspendAndResumeAsync(Caller caller, Driven instance, CancellationToken cancel)
    {
        await caller.AskAsync(instance.Id, "suspend", cancel);
        await caller.AskAsync(instance.Id, "resume", cancel);
    }
}
