using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Millrace.Chaos;
using Millrace.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Tests.Nodes;

public sealed class HttpBodyTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private static readonly string[] Codings = ["gzip", "br", "deflate"];
    private readonly TestServer server = fixture.Server;

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    [InlineData("identity")]
    [InlineData("gzip, br")]
    public async Task A_coded_body_is_decoded(string coding)
    {
        var body = coding.Split(", ").Aggregate(Encoding.UTF8.GetBytes("""{"id":5}"""), (content, each) => Coded(each, content));
        await using var receiver = await AnswerAsync(body, coding);
        var result = (await server.RunNodesAsync($$$"""{"http":"{{{receiver.Address}}}","as":"r"},{"return":["{{ r.body.id }}","{{ r.headers[\"content-encoding\"]? }}"]}""")).GetProperty("result");
        Assert.Equal("[5,null]", result.GetRawText());
    }

    [Theory]
    [InlineData("gzip", false)]
    [InlineData("br", false)]
    [InlineData("deflate", false)]
    [InlineData("gzip", true)]
    [InlineData("br", true)]
    [InlineData("deflate", true)]
    public async Task A_body_that_is_not_what_its_coding_says_fails_the_node(string coding, bool isCut)
    {
        var body = isCut ? Coded(coding, Encoding.UTF8.GetBytes(new string('x', 5000) + "the end"))[..^6] : "this is plain text"u8.ToArray();
        await using var receiver = await AnswerAsync(body, coding);
        var error = await FailAsync(receiver);
        Assert.Equal("encoding", error.GetProperty("code").GetString());
        Assert.Contains($"Content-Encoding, {coding},", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_coded_in_an_unknown_way_is_not_taken_for_text()
    {
        await using var receiver = await AnswerAsync("ABC"u8.ToArray(), "x-secret");
        var result = (await server.RunNodesAsync($$$"""{"http":"{{{receiver.Address}}}","as":"r"},{"return":"{{ r.encoding }} {{ r.body }} {{ r.headers[\"content-encoding\"] }}"}""")).GetProperty("result");
        Assert.Equal("base64 QUJD x-secret", result.GetString());
    }

    [Fact]
    public void Every_whole_body_is_decoded_and_no_part_of_one()
    {
        var random = new Random(7);
        foreach (var size in new[] { 1, 100, 4095, 8191, 8192, 8193, 16384, 20000 })
        {
            var content = new byte[size];
            // Of the largest a few bytes come over the wire, of the others all.
            if (size < 20000)
                random.NextBytes(content);
            foreach (var coding in Codings)
            {
                var body = Coded(coding, content);
                Assert.Equal(content, ContentCodings.Decode([coding], body, size));
                Assert.True(ContentCodings.Decode([coding], body, size - 1)!.Length > size - 1);
                foreach (var cut in Enumerable.Range(1, 20).Append(body.Length / 2).Where(cut => cut < body.Length))
                    Assert.Throws<InvalidDataException>(() => ContentCodings.Decode([coding], body[..^cut], size));
            }
        }

        Assert.Equal("onetwo"u8.ToArray(), ContentCodings.Decode(["gzip"], [.. Coded("gzip", "one"u8.ToArray()), .. Coded("gzip", "two"u8.ToArray())], 100));
        Assert.Empty(ContentCodings.Decode(["gzip"], [], 100)!);
    }

    [Fact]
    public async Task A_body_that_grows_too_large_is_refused()
    {
        await using var receiver = await AnswerAsync(Coded("gzip", new byte[40_000_000]), "gzip");
        Assert.Equal("result_too_large", (await FailAsync(receiver)).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\na part")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n6\r\na part\r\n")]
    public async Task A_response_that_breaks_off_fails_the_node(string response)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            using var reader = new StreamReader(client.GetStream());
            while (await reader.ReadLineAsync() is { Length: > 0 })
            {
            }

            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{response}"));
        });
        var error = (await server.RunNodesAsync($$"""{"http":{"method":"GET","url":"http://{{listener.LocalEndpoint}}"},"retry":{"attempts":1} }""")).GetProperty("error");
        await answering;
        Assert.Equal("connection", error.GetProperty("code").GetString());
        Assert.Contains("broke off after 6 bytes", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("iso-8859-15", "A4", "€")]
    [InlineData("windows-1252", "80", "€")]
    [InlineData("Shift_JIS", "93FA967B", "日本")]
    [InlineData("\"utf-16\"", "AC20", "€")]
    [InlineData("iso-8859-1", "E9", "é")]
    public async Task A_text_is_read_in_its_charset(string charset, string bytes, string text)
    {
        await using var receiver = await AnswerAsync(Convert.FromHexString(bytes), null, $"text/plain; charset={charset}");
        var result = (await server.RunNodesAsync($$$"""{"http":"{{{receiver.Address}}}","as":"r"},{"return":"{{ r.body }}"}""")).GetProperty("result");
        Assert.Equal(text, result.GetString());
    }

    [Theory]
    [InlineData("x-klingon")]
    [InlineData("utf-7")]
    public async Task An_unknown_charset_fails_the_node(string charset)
    {
        await using var receiver = await AnswerAsync("abc"u8.ToArray(), null, $"text/plain; charset={charset}");
        var error = await FailAsync(receiver);
        Assert.Equal("charset", error.GetProperty("code").GetString());
        Assert.Contains(charset, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":1,"a":2}""", "a")]
    [InlineData("""{"a":"x\u0000y"}""", "U+0000")]
    [InlineData("""{"a":"\ud800"}""", "surrogate")]
    [InlineData("""<a>1</a>""", "Not JSON")]
    public async Task A_body_that_cannot_be_read_by_path_says_why(string body, string why)
    {
        await using var receiver = await AnswerAsync(Encoding.UTF8.GetBytes(body), null);
        var error = (await server.RunNodesAsync($$$"""{"http":"{{{receiver.Address}}}","as":"r"},{"set":{"whole":"{{ r.body }}"}},{"return":"{{ r.body.a }}"}""")).GetProperty("error");
        Assert.Equal("/do/2", error.GetProperty("path").GetString());
        Assert.Contains("cannot be read as JSON", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Contains(why, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private async Task<JsonElement> FailAsync(Receiver receiver) =>
        (await server.RunNodesAsync($$"""{"http":"{{receiver.Address}}","retry":{"attempts":1} }""")).GetProperty("error");

    private static Task<Receiver> AnswerAsync(byte[] body, string? coding, string type = "application/json") => Receiver.StartAsync(async (context, _) =>
    {
        context.Response.ContentType = type;
        if (coding is not null)
            context.Response.Headers.ContentEncoding = coding;
        await context.Response.Body.WriteAsync(body);
    });

    private static byte[] Coded(string coding, byte[] content)
    {
        using var target = new MemoryStream();
        using (Stream coded = coding switch
        {
            "gzip" => new GZipStream(target, CompressionLevel.Fastest, leaveOpen: true),
            "br" => new BrotliStream(target, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" => new ZLibStream(target, CompressionLevel.Fastest, leaveOpen: true),
            _ => new BufferedStream(target),
        })
        {
            coded.Write(content);
            coded.Flush();
            if (coded is BufferedStream)
                return target.ToArray();
        }

        return target.ToArray();
    }
}
