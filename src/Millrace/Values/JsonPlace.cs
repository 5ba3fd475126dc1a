using System.Text.Json;

namespace Millrace.Values;

/// <summary>Finds the name of a place in a text of which only the position is known.</summary>
internal static class JsonPlace
{
    // A place that is deeper is named by where it begins; nobody reads a thousand steps.
    private const int MostSteps = 16;

    /// <summary>A JSON Pointer to the token that begins at a position.</summary>
    public static string Of(ReadOnlySpan<byte> utf8, long position)
    {
        var reader = new Utf8JsonReader(utf8, new() { MaxDepth = int.MaxValue });
        var steps = new Stack<(string? Name, int Index)>();
        while (reader.Read() && reader.TokenStartIndex < position)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    steps.Pop();
                    steps.Push((NameOf(reader), 0));
                    break;
                case JsonTokenType.StartArray:
                    steps.Push((null, 0));
                    break;
                case JsonTokenType.StartObject:
                    steps.Push(("", 0));
                    break;
                case JsonTokenType.EndArray or JsonTokenType.EndObject:
                    steps.Pop();
                    Next(steps);
                    break;
                default:
                    Next(steps);
                    break;
            }
        }

        return Show(steps);
    }

    // After an element comes the next one; after a member, one whose name is not known yet.
    private static void Next(Stack<(string? Name, int Index)> steps)
    {
        if (steps.TryPop(out var step))
            steps.Push(step.Name is null ? (null, step.Index + 1) : ("", 0));
    }

    private static string Show(Stack<(string? Name, int Index)> steps)
    {
        if (steps.TryPeek(out var last) && last.Name is "")
            steps.Pop();
        var pointer = steps.Reverse().Take(MostSteps).Aggregate(
            "", (pointer, step) => step.Name is { } name ? JsonPointer.Append(pointer, ObjectReader.Cut(name)) : JsonPointer.Append(pointer, step.Index));
        return steps.Count > MostSteps ? $"{pointer}…" : pointer.Length == 0 ? "its top" : pointer;
    }

    // A name may be what is wrong, and then it cannot be read.
    private static string NameOf(Utf8JsonReader reader) =>
        reader.ValueIsEscaped && JsonText.FaultInEscapes(reader.ValueSpan) is not null ? "?" : reader.GetString()!;
}
