using System.Security.Cryptography;
using System.Text;

namespace Millrace.Execution;

/// <summary>
/// Spreads retries apart without randomness: the share is a hash of the execution's identity, so a rebuilt state has
/// the same pauses as the one that was lost.
/// </summary>
internal static class Jitter
{
    /// <summary>A number from 0 to 1 that looks random from one execution to the next.</summary>
    public static double Share(Guid instance, NodeKey key)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{instance:N}{key.Path}#{key.Iteration}#{key.Attempt}"));
        return BitConverter.ToUInt32(hash) / (double)uint.MaxValue;
    }
}
