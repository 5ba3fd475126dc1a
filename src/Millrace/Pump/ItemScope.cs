using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Execution;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What the items of a spread <c>forEach</c> share: the parent's input and variables, and the names their body reads.</summary>
/// <param name="Input">The parent's input.</param>
/// <param name="Variables">The parent's variables.</param>
/// <param name="Names">The names that the body reads.</param>
internal sealed record ItemScope(Json Input, Json Variables, ImmutableDictionary<string, Json> Names)
{
    public static Json Write(InstanceFacts facts, ImmutableDictionary<string, Json> names) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        Write(writer, "input", facts.Input);
        Write(writer, "variables", facts.Variables);
        FrameJson.WriteNames(writer, "names", names);
        writer.WriteEndObject();
    });

    /// <summary>Reads what <see cref="Write(InstanceFacts, ImmutableDictionary{string, Json})"/> has written.</summary>
    public static ItemScope Read(Json scope) => new(
        Json.From(scope.Element.GetProperty("input")),
        Json.From(scope.Element.GetProperty("variables")),
        FrameJson.ReadNames(scope.Element, "names"));

    /// <summary>The facts of an item whose own input is the item. What is shared stays one value in memory.</summary>
    public InstanceFacts Apply(InstanceFacts facts, ForEachNode node) =>
        facts with { Input = Input, Variables = Variables, Names = Names.SetItem(node.Item, facts.Input) };

    private static void Write(Utf8JsonWriter writer, string name, Json value)
    {
        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }
}
