using System.Security.Cryptography;
using System.Text;

namespace Millrace.Values;

/// <summary>Ids that follow from what they stand for: a UUIDv8 (RFC 9562) made of a hash, the same whoever makes it.</summary>
internal static class HashedId
{
    /// <summary>The id of a text.</summary>
    public static Guid Of(string text)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        hash[6] = (byte)(0x80 | hash[6] & 0x0F);
        hash[8] = (byte)(0x80 | hash[8] & 0x3F);
        return new(hash.AsSpan(0, 16), bigEndian: true);
    }
}
