using System.Collections.Immutable;

namespace Millrace.Chaos;

/// <summary>One kind of instance whose effects can be counted.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Definition">Its definition; <c>input.key</c> is the key of its start.</param>
/// <param name="Effects">What it leaves in the store's database: names behind the key, and how often each.</param>
/// <param name="Elsewhere">Likewise in the second database.</param>
/// <param name="Requests">The HTTP requests that it sends, likewise.</param>
internal sealed record Kind(
    string Name, string Definition, ImmutableDictionary<string, int> Effects, ImmutableDictionary<string, int> Elsewhere, ImmutableDictionary<string, int> Requests)
{
    /// <summary>Whether it waits for the signal <c>go</c>.</summary>
    public bool WaitsForSignal { get; init; }
}

/// <summary>What is run while everything breaks: every way in which an instance waits, branches and writes.</summary>
internal static class Workload
{
    public const string Child = """{"do":[{"sql":"insert into effect (key) values ({{ input.key }} || '/child') returning number","as":"n"},{"return":"{{ n.number }}"}]}""";

    public const string Tables = """
        create table effect (key text not null, number bigint generated always as identity, origin bigint, at timestamptz not null default clock_timestamp())
        """;

    /// <param name="receiver">Where HTTP requests go.</param>
    public static IReadOnlyList<Kind> Kinds(string receiver) =>
    [
        Of("chain", $$$"""
            {"do":[
              {{{Insert("1", "first")}}},
              {"set":{"again":"{{ first.number }}"}},
              {"sql":"insert into effect (key, origin) values ({{ input.key }} || '/2', {{ again }})"},
              {"sql":"select count(*) as n from effect"},
              {"sql":{"query":"insert into effect (key, origin) values ({{ input.key }} || '/3', {{ first.number }}) returning number","connection":"other"},"as":"third"},
              {"sql":{"query":"select 1 as one","readOnly":true}},
              {{{Insert("4", "fourth")}}}]}
            """, "1 2 4", "3"),
        Of("loop", $$"""{"do":[{"loop":[{{Insert("turn", "n")}},{"sleep":"100ms"}],"max":4},{{Insert("done", "n")}}]}""", "turn*4 done"),
        Of("join", $$"""
            {"do":[{"join":[[{{Insert("left", "l")}}],[{"sleep":"300ms"},{{Insert("right", "r")}}],[{"sql":"select pg_sleep(0.2)"},{{Insert("slow", "s")}}]]},{{Insert("after", "a")}}]}
            """, "left right slow after"),
        Of("sleepy", $$"""{"do":[{{Insert("before", "b")}},{"sleep":"3s"},{{Insert("after", "a")}}]}""", "before after"),
        Of("signal", $$"""{"do":[{{Insert("before", "b")}},{"waitForSignal":"go","as":"s"},{{Insert("after", "a")}}]}""", "before after") with { WaitsForSignal = true },
        Of("spread", $$"""{"do":[{"forEach":[1,2,3,4,5],"spread":true,"do":[{{Insert("item", "i")}},{"sleep":"200ms"},{{Insert("second", "i")}}]},{{Insert("after", "a")}}]}""",
            "item*5 second*5 after"),
        Of("child", $$$"""{"do":[{"run":"child","input":{"key":"{{ input.key }}"},"as":"c"},{"sql":"insert into effect (key, origin) values ({{ input.key }} || '/parent', {{ c }})"}]}""",
            "child parent"),
        Of("http", $$$"""
            {"do":[{{{Insert("before", "b")}}},
              {"http":{"url":"{{{receiver}}}/?key={{ input.key }}/sent","body":{}},"retry":{"attempts":100,"backoff":"200ms","maxBackoff":"500ms"}},
              {{{Insert("after", "a")}}}]}
            """, "before after", requests: "sent"),
    ];

    private static string Insert(string name, string binding) =>
        $$$"""{"sql":"insert into effect (key) values ({{ input.key }} || '/{{{name}}}') returning number","as":"{{{binding}}}"}""";

    private static Kind Of(string name, string definition, string effects, string elsewhere = "", string requests = "") =>
        new(name, definition, Counts(effects), Counts(elsewhere), Counts(requests));

    // "turn*4 done": each once, or as often as its number says.
    private static ImmutableDictionary<string, int> Counts(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(item => item.Split('*'))
        .ToImmutableDictionary(parts => parts[0], parts => parts.Length > 1 ? int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) : 1);
}
