using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Execution;
using Millrace.Values;
using Millrace.Workflows;

namespace Millrace.Pump;

/// <summary>What the items of a spread <c>forEach</c> share: the parent's input and variables, and the names their body reads.</summary>
internal static class ItemScope
{
    public static Json Write(InstanceFacts facts, ImmutableDictionary<string, Json> names) => Json.Write(writer =>
    {
        writer.WriteStartObject();
        Write(writer, "input", facts.Input);
        Write(writer, "variables", facts.Variables);
        FrameJson.WriteNames(writer, "names", names);
        writer.WriteEndObject();
    });

    /// <summary>The facts of an item whose own input is the item.</summary>
    public static InstanceFacts Apply(Json scope, InstanceFacts facts, ForEachNode node)
    {
        return facts with
        {
            Input = Json.From(scope.Element.GetProperty("input")),
            Variables = Json.From(scope.Element.GetProperty("variables")),
            Names = FrameJson.ReadNames(scope.Element.GetProperty("names")).SetItem(node.Item, facts.Input),
        };
    }

    private static void Write(Utf8JsonWriter writer, string name, Json value)
    {
        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }
}
