using System.Text.Json.Nodes;

namespace Millrace.Tests.Support;

/// <summary>Makes a definition smaller in one place, in every way there is, so that what a property trips over can be read.</summary>
internal static class GraphShrinker
{
    private static readonly string[] Optional = ["as", "retry", "timeout", "compensate", "else", "while", "finally", "concurrency"];
    private static readonly string[] Sequences = ["then", "else", "loop", "do", "try", "catch", "finally", "compensate"];

    public static IEnumerable<string> Shrink(string definition)
    {
        var root = JsonNode.Parse(definition)!;
        var count = Places(root["do"]!.AsArray()).Count();
        for (var place = 0; place < count; place++)
        {
            for (var way = 0; ; way++)
            {
                var copy = JsonNode.Parse(definition)!;
                if (!Smaller(Places(copy["do"]!.AsArray()).ElementAt(place), ref way))
                    break;
                yield return RandomGraph.TextOf(copy);
            }
        }
    }

    // Every sequence, outer ones first.
    private static IEnumerable<JsonArray> Places(JsonArray nodes)
    {
        yield return nodes;
        foreach (var inner in nodes.SelectMany(node => Inside(node!.AsObject())).SelectMany(Places))
            yield return inner;
    }

    private static IEnumerable<JsonArray> Inside(JsonObject node)
    {
        foreach (var name in Sequences)
        {
            if (node[name] is JsonArray nodes)
                yield return nodes;
        }

        foreach (var branches in new[] { node["join"], node["race"] }.OfType<JsonArray>())
        {
            foreach (var branch in branches)
                yield return branch!.AsArray();
        }
    }

    // The way'th change to a sequence: a node less, a node in place of what contains it, an option or a branch less.
    private static bool Smaller(JsonArray nodes, ref int way)
    {
        var left = way;
        for (var i = 0; i < nodes.Count; i++)
        {
            var node = nodes[i]!.AsObject();
            if (nodes.Count > 1 && left-- == 0)
            {
                nodes.RemoveAt(i);
                return true;
            }

            foreach (var inner in Inside(node))
            {
                if (left-- == 0)
                {
                    nodes.RemoveAt(i);
                    foreach (var moved in inner.ToList())
                    {
                        inner.Remove(moved);
                        nodes.Insert(i++, moved);
                    }

                    return true;
                }
            }

            foreach (var name in Optional.Where(node.ContainsKey).Where(name => !node.ContainsKey("http") || name != "retry"))
            {
                if (left-- == 0)
                {
                    node.Remove(name);
                    return true;
                }
            }

            foreach (var branches in new[] { node["join"], node["race"], node["forEach"] }.OfType<JsonArray>().Where(branches => branches.Count > 1))
            {
                for (var branch = 0; branch < branches.Count; branch++)
                {
                    if (left-- == 0)
                    {
                        branches.RemoveAt(branch);
                        return true;
                    }
                }
            }
        }

        return false;
    }
}
