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
        writer.WriteStartObject("names");
        foreach (var (name, value) in names)
            Write(writer, name, value);
        writer.WriteEndObject();
        writer.WriteEndObject();
    });

    /// <summary>The facts of an item whose own input is the item.</summary>
    public static InstanceFacts Apply(Json scope, InstanceFacts facts, ForEachNode node)
    {
        var names = ImmutableDictionary.CreateBuilder<string, Json>();
        foreach (var member in scope.Element.GetProperty("names").EnumerateObject())
            names[member.Name] = Json.From(member.Value);
        names[node.Item] = facts.Input;
        return facts with
        {
            Input = Json.From(scope.Element.GetProperty("input")),
            Variables = Json.From(scope.Element.GetProperty("variables")),
            Names = names.ToImmutable(),
        };
    }

    private static void Write(Utf8JsonWriter writer, string name, Json value)
    {
        writer.WritePropertyName(name);
        value.WriteTo(writer);
    }
}
