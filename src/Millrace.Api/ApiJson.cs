using System.Text.Json;
using System.Text.Json.Serialization;
using Millrace.Api.Contracts;
using Millrace.Explaining;
using Millrace.Values;

namespace Millrace.Api;

/// <summary>How the API's answers are written: source-generated, snake_case names, times in UTC.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    Converters = [typeof(JsonValueConverter), typeof(UtcConverter)])]
[JsonSerializable(typeof(StartResponse))]
[JsonSerializable(typeof(BatchResponse))]
[JsonSerializable(typeof(InstanceResponse))]
[JsonSerializable(typeof(InstancePage))]
[JsonSerializable(typeof(NodePage))]
[JsonSerializable(typeof(WorkflowResponse))]
[JsonSerializable(typeof(WorkflowPage))]
[JsonSerializable(typeof(ValidationResponse))]
[JsonSerializable(typeof(VariableResponse))]
[JsonSerializable(typeof(HealthResponse))]
[JsonSerializable(typeof(PumpResponse))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(Explanation))]
[JsonSerializable(typeof(StartRequestBody))]
[JsonSerializable(typeof(StartRequestBody[]))]
[JsonSerializable(typeof(CancelRequestBody))]
[JsonSerializable(typeof(VariableRequestBody))]
internal sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>The context that answers are written with: text stays readable, since no answer is a web page.</summary>
    public static ApiJson Relaxed => field ??= new(new JsonSerializerOptions(Default.Options)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = Values.Json.OwnDepth,
    });
}

/// <summary>Writes a JSON value as the bytes it is.</summary>
internal sealed class JsonValueConverter : JsonConverter<Json>
{
    public override Json Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Json.From(JsonElement.ParseValue(ref reader));

    public override void Write(Utf8JsonWriter writer, Json value, JsonSerializerOptions options) => value.WriteTo(writer);
}

/// <summary>Writes times with a Z.</summary>
internal sealed class UtcConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(value.UtcDateTime);
}
