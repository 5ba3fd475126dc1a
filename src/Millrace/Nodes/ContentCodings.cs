using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace Millrace.Nodes;

/// <summary>
/// Undoes the codings of <c>Content-Encoding</c>, on whole bodies: the platform's streams take the end of their input for
/// the end of the content, and would give a part of it for all.
/// </summary>
internal static class ContentCodings
{
    /// <summary>
    /// What is asked for, as <c>Accept-Encoding</c> says it. Not deflate, which is undone where it comes: some servers send
    /// under its name what has no checksum and no header, and so may be cut off unnoticed.
    /// </summary>
    public const string Known = "gzip, br";

    // A member of gzip that stands behind a body: it comes out again only where the body has its own end.
    private static readonly byte[] Mark = "3e8c1d5f07a94b62"u8.ToArray();
    private static readonly byte[] MarkMember = Gzip(Mark);

    /// <summary>The content; null where a coding is unknown. More than <paramref name="most"/> bytes mean that it is larger than that.</summary>
    /// <param name="codings">The codings, in the order in which they were applied.</param>
    /// <param name="body">The body as it came.</param>
    /// <param name="most">How many bytes are wanted at the most.</param>
    /// <exception cref="InvalidDataException">The body is not what a coding makes, or not all of it.</exception>
    public static byte[]? Decode(IEnumerable<string> codings, byte[] body, int most)
    {
        // What has no content, such as the response to HEAD, is not coded, whatever its headers say.
        if (body.Length == 0)
            return body;
        foreach (var coding in codings.Reverse())
        {
            byte[]? content = coding.ToLowerInvariant() switch
            {
                "identity" => body,
                "gzip" or "x-gzip" => Gunzip(body, most),
                "deflate" => Inflate(body, most),
                "br" => Unbrotli(body, most),
                _ => null,
            };
            if (content is null || content.Length > most)
                return content;
            body = content;
        }

        return body;
    }

    private static byte[] Gunzip(byte[] body, int most)
    {
        using var source = new GZipStream(new MemoryStream([.. body, .. MarkMember]), CompressionMode.Decompress);
        var content = ReadUpTo(source, most + Mark.Length);
        if (content.Length > most + Mark.Length)
            return content;
        return content.AsSpan().EndsWith(Mark) ? content[..^Mark.Length] : throw BrokenOff();
    }

    // The coding is called deflate and is zlib (RFC 9110 §8.4.1.2): it ends with a checksum.
    private static byte[] Inflate(byte[] body, int most)
    {
        using var source = new ZLibStream(new MemoryStream(body), CompressionMode.Decompress);
        var content = ReadUpTo(source, most);
        if (content.Length > most)
            return content;
        return body.Length > 4 && BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(body.Length - 4)) == Adler32(content) ? content : throw BrokenOff();
    }

    private static byte[] Unbrotli(byte[] body, int most)
    {
        using var decoder = new BrotliDecoder();
        var content = new ArrayBufferWriter<byte>(Math.Max(256, body.Length));
        var left = body.AsSpan();
        while (true)
        {
            var status = decoder.Decompress(left, content.GetSpan(), out var read, out var written);
            left = left[read..];
            content.Advance(written);
            if (content.WrittenCount > most || (status is OperationStatus.Done && left.IsEmpty))
                return content.WrittenSpan.ToArray();
            if (status is OperationStatus.NeedMoreData)
                throw BrokenOff();
            if (status is not OperationStatus.DestinationTooSmall)
                throw new InvalidDataException("it is not brotli");
        }
    }

    private static byte[] ReadUpTo(Stream source, int most)
    {
        using var content = new MemoryStream();
        var buffer = new byte[16 << 10];
        int read;
        while (content.Length <= most && (read = source.Read(buffer)) > 0)
            content.Write(buffer, 0, read);
        return content.ToArray();
    }

    private static byte[] Gzip(byte[] content)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
            gzip.Write(content);
        return target.ToArray();
    }

    private static uint Adler32(byte[] content)
    {
        var (a, b) = (1u, 0u);
        foreach (var value in content)
        {
            a = (a + value) % 65521;
            b = (b + a) % 65521;
        }

        return (b << 16) | a;
    }

    private static InvalidDataException BrokenOff() => new("it breaks off");
}
