using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads what stands under <c>http</c>: an address, or an object with one.</summary>
internal sealed class HttpNodeReader(FaultList faults)
{
    private static readonly ImmutableArray<string> Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    // These frame the message or belong to the connection: they are the client's, not the author's.
    private static readonly ImmutableArray<string> Framing =
        ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    public static HttpNode? Read(JsonElement value, string pointer, string path, FaultList faults) =>
        new HttpNodeReader(faults).Read(value, pointer, path);

    private HttpNode? Read(JsonElement value, string pointer, string path)
    {
        if (value.ValueKind is JsonValueKind.String)
            return Url(value.GetString()!, pointer) is { } only ? new(only, "POST", [], null, [], null) { Path = path } : null;
        if (value.ValueKind is not JsonValueKind.Object)
        {
            faults.Add(pointer, $"Expected an address, or an object with a \"url\", found {ObjectReader.Name(value)}.");
            return null;
        }

        var reader = new ObjectReader(value, pointer, faults);
        if (!reader.Has("url"))
            faults.Add(pointer, "\"url\" is missing.");
        var url = reader.Text("url") is { } text ? Url(text, reader.At("url")) : null;
        var method = Method(reader);
        var headers = Headers(reader);
        var body = reader.Any("body") is { } content ? TemplateParser.Value(content, reader.At("body"), faults) : null;
        var parts = reader.Any("multipart") is { } multipart ? Parts(multipart, reader.At("multipart")) : [];
        if (body is not null && reader.Has("multipart"))
            faults.Add(reader.At("multipart"), "A request has a \"body\" or \"multipart\", not both.");
        var expect = Expectation(reader);
        var redirects = reader.Integer("redirects", 0, 20) ?? HttpNode.DefaultRedirects;
        reader.Finish();
        return url is null ? null : new(url, method, headers, body, parts, expect) { Path = path, Redirects = redirects };
    }

    private TextTemplate? Url(string text, string pointer)
    {
        var url = TemplateParser.Text(text, pointer, faults, isAddress: true);
        if (url is { IsConstant: true } && !IsHttp(text))
            faults.Add(pointer, $"\"{ObjectReader.Cut(text)}\" is not an absolute http or https address.");
        return url;
    }

    internal static bool IsHttp(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0;

    private string Method(ObjectReader reader)
    {
        var method = reader.Text("method");
        if (method is null)
            return "POST";
        if (!Methods.Contains(method))
            faults.Add(reader.At("method"), $"Unknown method \"{ObjectReader.Cut(method)}\"; expected {string.Join(", ", Methods)}.");
        return method;
    }

    private ImmutableArray<HttpHeader> Headers(ObjectReader reader)
    {
        if (reader.Any("headers") is not { } value || ObjectReader.Of(value, reader.At("headers"), faults) is null)
            return [];

        var headers = ImmutableArray.CreateBuilder<HttpHeader>();
        foreach (var member in value.EnumerateObject())
        {
            var at = JsonPointer.Append(reader.At("headers"), member.Name);
            if (member.Name.Length == 0 || member.Name.AsSpan().ContainsAnyExcept(TokenCharacters))
                faults.Add(at, "A header's name has letters, digits and hyphens.");
            else if (Framing.Contains(member.Name.ToLowerInvariant()))
                faults.Add(at, $"\"{member.Name}\" is set by the client itself and cannot be given.");
            else if (member.Value.ValueKind is not JsonValueKind.String)
                faults.Add(at, $"Expected a string, found {ObjectReader.Name(member.Value)}.");
            else if (member.Value.GetString()!.AsSpan().ContainsAny('\r', '\n'))
                faults.Add(at, "A header's value has no line breaks.");
            else if (TemplateParser.Text(member.Value.GetString()!, at, faults) is { } text)
                headers.Add(new(member.Name, text));
        }

        return headers.ToImmutable();
    }

    private ImmutableArray<HttpPart> Parts(JsonElement value, string pointer)
    {
        if (value.ValueKind is JsonValueKind.Array && value.GetArrayLength() > 0)
            return [.. value.EnumerateArray().Select((part, index) => Part(part, JsonPointer.Append(pointer, index))).OfType<HttpPart>()];
        faults.Add(pointer, "Expected a list of parts, with at least one: { \"name\", \"content\", \"filename\", \"contentType\", \"encoding\" }.");
        return [];
    }

    private HttpPart? Part(JsonElement value, string pointer)
    {
        if (ObjectReader.Of(value, pointer, faults) is not { } part)
            return null;
        if (!part.Has("name"))
            faults.Add(pointer, "\"name\" is missing.");
        var name = part.Text("name") is { } text ? TemplateParser.Text(text, part.At("name"), faults) : null;
        var content = part.Required("content") is { } given ? TemplateParser.Value(given, part.At("content"), faults) : null;
        var fileName = part.Text("filename") is { } file ? TemplateParser.Text(file, part.At("filename"), faults) : null;
        var contentType = part.Text("contentType");
        if (contentType is not null && !System.Net.Http.Headers.MediaTypeHeaderValue.TryParse(contentType, out _))
            faults.Add(part.At("contentType"), $"\"{ObjectReader.Cut(contentType)}\" is not a media type such as \"text/csv\".");
        var encoding = part.Text("encoding");
        if (encoding is not (null or "text" or "base64"))
            faults.Add(part.At("encoding"), "Expected \"text\" or \"base64\".");
        part.Finish();
        return name is null || content is null ? null : new(name, content, fileName, contentType, encoding is "base64");
    }

    private HttpExpectation? Expectation(ObjectReader reader)
    {
        if (reader.Any("expect") is not { } value || ObjectReader.Of(value, reader.At("expect"), faults) is not { } expect)
            return null;

        var statuses = Statuses(expect);
        var contains = expect.Text("bodyContains") is { } text ? TemplateParser.Text(text, expect.At("bodyContains"), faults) : null;
        expect.Finish();
        return new(statuses, contains);
    }

    private ImmutableArray<int> Statuses(ObjectReader expect)
    {
        if (expect.Any("status") is not { } value)
            return [];
        if (value.ValueKind is JsonValueKind.Array && value.GetArrayLength() > 0 && value.EnumerateArray().All(IsStatus))
            return [.. value.EnumerateArray().Select(status => status.GetInt32())];
        faults.Add(expect.At("status"), "Expected a list of statuses such as [200, 204].");
        return [];
    }

    private static bool IsStatus(JsonElement value) =>
        value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var status) && status is >= 100 and <= 599;
}
