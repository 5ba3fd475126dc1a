using Millrace.Values;

namespace Millrace.Workflows;

/// <summary>Reads <c>retry</c>, and durations under any key.</summary>
internal static class RetryReader
{
    public static Retry? Read(ObjectReader node)
    {
        if (node.Any("retry") is not { } value || ObjectReader.Of(value, node.At("retry"), node.Faults) is not { } retry)
            return null;

        var fallback = Retry.Default;
        var read = new Retry(
            retry.Integer("attempts", 1, 1000) ?? fallback.Attempts,
            Duration(retry, "backoff", mayBeZero: true) ?? fallback.Backoff,
            retry.Number("factor", 1, 100) ?? fallback.Factor,
            Duration(retry, "maxBackoff", mayBeZero: true) ?? fallback.MaxBackoff,
            retry.Flag("jitter") ?? fallback.Jitter);
        retry.Finish();

        // A first pause beyond the default bound is meant as it is written.
        return retry.Has("maxBackoff") || read.Backoff <= read.MaxBackoff ? read : read with { MaxBackoff = read.Backoff };
    }

    public static TimeSpan? Duration(ObjectReader reader, string key, bool mayBeZero)
    {
        if (reader.Text(key) is not { } text)
            return null;
        if (Values.Duration.TryParse(text, out var duration) && (mayBeZero || duration > TimeSpan.Zero))
            return duration;
        reader.Faults.Add(reader.At(key), $"\"{ObjectReader.Cut(text)}\" is not {Values.Duration.Expected}.");
        return null;
    }
}
