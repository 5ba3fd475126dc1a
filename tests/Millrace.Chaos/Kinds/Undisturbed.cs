namespace Millrace.Chaos.Kinds;

/// <summary>One effect and nothing else.</summary>
internal sealed class Plain : Kind
{
    public override string Name => "plain";

    public override int Share => 40;

    public override string Definition { get; } = $$"""{"do":[{{Insert("only")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("only");
}

/// <summary>Statements one after the other, in two databases, of which later ones write down earlier ones' results.</summary>
internal sealed class Chain : Kind
{
    public override string Name => "chain";

    public override int Share => 10;

    public override string Definition { get; } = $$$"""
        {"do":[
          {{{Insert("1", "\"as\":\"first\"")}}},
          {"set":{"again":"{{ first? }}"}},
          {"sql":"insert into effect (key, origin) values ({{ input.key }} || '/2', {{ again }}) returning number as n"},
          {"sql":"select count(*) as many from effect where key like {{ input.key }} || '/%'"},
          {"sql":{"query":"insert into effect (key, origin) values ({{ input.key }} || '/3', {{ first.n }}) returning number","connection":"other"},"as":"third"},
          {"sql":{"query":"select 1 as one","readOnly":true}},
          {{{Insert("4")}}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("1 2 4");

    public override EffectCounts Elsewhere { get; } = EffectCounts.Of("3");
}

/// <summary>A loop that sleeps in each turn.</summary>
internal sealed class Turning : Kind
{
    public override string Name => "loop";

    public override int Share => 7;

    public override string Definition { get; } = $$"""{"do":[{"loop":[{{Insert("turn")}},{"sleep":"100ms"}],"max":4},{{Insert("done")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("turn*4 done");
}

/// <summary>Branches of which all must end.</summary>
internal sealed class Joined : Kind
{
    public override string Name => "join";

    public override int Share => 7;

    public override string Definition { get; } = $$"""
        {"do":[{"join":[[{{Insert("left")}}],[{"sleep":"300ms"},{{Insert("right")}}],[{"sql":"select pg_sleep(0.2)"},{{Insert("slow")}}]]},{{Insert("after")}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("left right slow after");
}

/// <summary>Branches of which one is enough: what the others were about to do may have been done, but not twice.</summary>
internal sealed class Raced : Kind
{
    public override string Name => "race";

    public override int Share => 8;

    public override string Definition { get; } = $$$"""
        {"do":[{"race":[
          [{"sleep":"150ms"},{{{Insert("left")}}}],
          [{"sql":"insert into effect (key) select {{ input.key }} || '/right' from pg_sleep(0.15) returning number as n"}],
          [{"waitForSignal":"never"}]]},
          {{{Insert("after")}}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("left? right? after");

    public override string? Wrong(Story story) =>
        story.Effects.ContainsKey("left") || story.Effects.ContainsKey("right") ? null : "no branch of the race has had its effect";
}

/// <summary>A sleep that is longer than a worker waits with the instance in hand.</summary>
internal sealed class Sleepy : Kind
{
    public override string Name => "sleepy";

    public override int Share => 8;

    public override string Definition { get; } = $$"""{"do":[{{Insert("before")}},{"sleep":"3000ms"},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("before after");
}

/// <summary>A list, two items at a time.</summary>
internal sealed class Listed : Kind
{
    public override string Name => "list";

    public override int Share => 5;

    public override string Definition { get; } =
        $$"""{"do":[{"forEach":[1,2,3,4],"do":[{{Insert("item")}},{"sleep":"50ms"}],"item":"i","concurrency":2},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("item*4 after");
}

/// <summary>A list whose items are instances of their own, on whatever server.</summary>
internal sealed class Spread : Kind
{
    public override string Name => "spread";

    public override int Share => 3;

    public override string Definition { get; } =
        $$"""{"do":[{"forEach":[1,2,3,4,5],"do":[{{Insert("item")}},{"sleep":"200ms"},{{Insert("second")}}],"item":"i","spread":true},{{Insert("after")}}]}""";

    public override EffectCounts Effects { get; } = EffectCounts.Of("item*5 second*5 after");

    public override int Children => 5;
}

/// <summary>Another workflow's run, whose result is written down.</summary>
internal sealed class Child : Kind
{
    public const string Workflow = """{"do":[{"sql":"insert into effect (key) values ({{ input.key }} || '/child') returning number as n","as":"n"},{"return":"{{ n.n }}"}]}""";

    public override string Name => "parent";

    public override int Share => 5;

    public override string Definition { get; } = """
        {"do":[{"run":"child","input":{"key":"{{ input.key }}"},"as":"c"},
               {"sql":"insert into effect (key, origin) values ({{ input.key }} || '/parent', {{ c }}) returning number as n"}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("child parent");

    public override int Children => 1;
}

/// <summary>A request to a receiver that fails now and then.</summary>
internal sealed class Request(string receiver) : Kind
{
    public override string Name => "http";

    public override int Share => 5;

    public override string Definition { get; } = $$$"""
        {"do":[{{{Insert("before")}}},
          {"http":{"url":"{{{receiver}}}/?key={{ input.key }}/sent","body":{}},"retry":{"attempts":100,"backoff":"200ms","maxBackoff":"500ms"}},
          {{{Insert("after")}}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("before after");

    public override IReadOnlyList<string> Requests { get; } = ["sent"];
}

/// <summary>A statement and a request that take longer than the lease: whoever runs them must keep it meanwhile.</summary>
internal sealed class Long(string receiver, TimeSpan time) : Kind
{
    public override string Name => "long";

    // It is met by more kills here than by misfortune elsewhere.
    public override bool MayLoseItsWorkers => true;

    public override int Share => 1;

    public override string Definition { get; } = $$$"""
        {"do":[{{{Insert("before")}}},
          {"join":[
            [{"sql":"insert into effect (key) select {{ input.key }} || '/slow' from pg_sleep({{{time.TotalSeconds}}}) returning number as n"}],
            [{"http":{"url":"{{{receiver}}}/slow?key={{ input.key }}/sent","body":{}},"retry":{"attempts":100,"backoff":"200ms","maxBackoff":"500ms"}}]]},
          {{{Insert("after")}}}]}
        """;

    public override EffectCounts Effects { get; } = EffectCounts.Of("before slow after");

    public override IReadOnlyList<string> Requests { get; } = ["sent"];
}
