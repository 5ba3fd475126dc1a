using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Millrace.Values;

/// <summary>
/// An immutable JSON value, carried as the UTF-8 bytes it came in and parsed only when somebody looks inside.
/// Member order and number spelling stay as they were written, which is why the store keeps such values as
/// <c>json</c> and not as <c>jsonb</c>.
/// </summary>
public sealed class Json : IEquatable<Json>
{
    /// <summary>How deep a value may nest: what comes in from outside, and what a node makes of it.</summary>
    public const int MaxDepth = 1000;

    /// <summary>
    /// How deep a document of our own may nest, which has such values inside: a snapshot with its frames, what items share,
    /// an answer. It is far more than either takes together.
    /// </summary>
    public const int OwnDepth = 100 * MaxDepth;

    internal static readonly JsonDocumentOptions DocumentOptions = new()
    {
        MaxDepth = MaxDepth,
        AllowDuplicateProperties = false,
        CommentHandling = JsonCommentHandling.Disallow,
    };

    // Results of databases and of peers are taken as they are: a duplicate member there is not ours to refuse.
    private static readonly JsonDocumentOptions LenientOptions = new() { MaxDepth = OwnDepth };

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        MaxDepth = OwnDepth,
        SkipValidation = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // Boxed, because two threads may ask a shared value first: a reference is there or is not, a struct may be there in part.
    private volatile object? element;

    private Json(ReadOnlyMemory<byte> utf8, object? element = null, ResultKind kind = ResultKind.Value) =>
        (Utf8, this.element, Kind) = (utf8, element, kind);

    /// <summary>JSON <c>null</c>.</summary>
    public static Json Null { get; } = new("null"u8.ToArray());

    /// <summary>The value's text, UTF-8.</summary>
    public ReadOnlyMemory<byte> Utf8 { get; }

    /// <summary>The value, parsed. Parsing happens on the first call.</summary>
    public JsonElement Element => (JsonElement)(element ??= JsonElement.Parse(Utf8.Span, LenientOptions));

    /// <summary>
    /// What templates may take the value for. It is no part of the text: whoever takes a result in says what made it, and
    /// a copy that a template puts together is a value like any other.
    /// </summary>
    internal ResultKind Kind { get; }

    /// <summary>The same value as the result of such a node.</summary>
    internal Json As(ResultKind kind) => kind == Kind ? this : new(Utf8, element, kind);

    /// <summary>Wraps text that is known to be JSON; it is not checked here.</summary>
    public static Json FromUtf8(ReadOnlyMemory<byte> utf8) => new(utf8);

    /// <summary>Wraps text that is known to be JSON; it is not checked here.</summary>
    public static Json FromText(string text) => new(Encoding.UTF8.GetBytes(text));

    /// <summary>Takes a copy of an element, exactly as it was written.</summary>
    public static Json From(JsonElement value) =>
        new(JsonMarshal.GetRawUtf8Value(value).ToArray(), value.ValueKind is JsonValueKind.Undefined ? null : value);

    /// <summary>A JSON string.</summary>
    public static Json From(string value) => Write(writer => writer.WriteStringValue(value));

    /// <summary>A JSON boolean.</summary>
    public static Json From(bool value) => Write(writer => writer.WriteBooleanValue(value));

    /// <summary>Builds a value with a writer.</summary>
    public static Json Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
            write(writer);
        return new(buffer.WrittenMemory.ToArray());
    }

    /// <summary>An array of values, each as it is.</summary>
    public static Json ArrayOf(IEnumerable<Json> items) => Write(writer =>
    {
        writer.WriteStartArray();
        foreach (var item in items)
            item.WriteTo(writer);
        writer.WriteEndArray();
    });

    /// <summary>Writes this value where the writer stands.</summary>
    public void WriteTo(Utf8JsonWriter writer) => writer.WriteRawValue(Utf8.Span, skipInputValidation: true);

    /// <summary>The same value without insignificant white space.</summary>
    public Json Minified() => Write(Element.WriteTo);

    /// <inheritdoc/>
    public bool Equals(Json? other) =>
        other is not null && Kind == other.Kind && (Utf8.Span.SequenceEqual(other.Utf8.Span) || JsonEquality.AreEqual(Element, other.Element));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Json);

    /// <inheritdoc/>
    public override int GetHashCode() => Element.ValueKind.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => Encoding.UTF8.GetString(Utf8.Span);
}
