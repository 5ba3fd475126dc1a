using System.Globalization;

namespace Millrace.Tests.Support;

/// <summary>What random tests begin with: another number each time, or the one in <c>MILLRACE_SEED</c> to see a failure again.</summary>
internal static class Seeds
{
    public static int First { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("MILLRACE_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Environment.TickCount;

    /// <summary>Runs a case; whatever goes wrong in it tells the seed.</summary>
    public static void Try(int seed, Action<int> run)
    {
        try
        {
            run(seed);
        }
        catch (Exception e) when (!e.Message.Contains($"seed {seed}", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
        }
    }
}
