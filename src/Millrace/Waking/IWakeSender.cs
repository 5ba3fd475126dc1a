namespace Millrace.Waking;

/// <summary>Where wake tokens go that cannot wait for the end of the call that has made them, or are to be held back.</summary>
public interface IWakeSender
{
    /// <summary>Sends a token.</summary>
    /// <param name="token">Its text.</param>
    /// <param name="delay">How long the queue is to hold it back.</param>
    /// <param name="cancel">Gives up.</param>
    Task SendAsync(string token, TimeSpan delay, CancellationToken cancel);
}
