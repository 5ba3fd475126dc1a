namespace Millrace.Nodes;

/// <summary>
/// When a statement has to stop, and when it is given up. A statement that is cancelled is stopped on the server, which
/// answers; where no answer comes, because the connection is dead, whoever waits must not wait with it.
/// </summary>
internal sealed class StatementLimit : IDisposable
{
    // The server's answer to a cancelled statement takes milliseconds. A process that stops gives back what it runs, and has little time for it.
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan BeforeGivingUp = TimeSpan.FromMilliseconds(100);
    private readonly StopSource stop;
    private readonly StopSource giveUp = new(TimeProvider.System, CancellationToken.None);
    private readonly CancellationTokenRegistration registration;
    private volatile bool isLost;

    public StatementLimit(TimeSpan timeout, CancellationToken cancel)
    {
        stop = new(TimeProvider.System, cancel);
        registration = stop.Waits.UnsafeRegister(static giveUp => ((StopSource)giveUp!).StopAfter(AnswerLimit), giveUp);
        Begin(timeout);
    }

    /// <summary>Begins again, with another time. Without effect where the time is up already.</summary>
    public void Begin(TimeSpan timeout) => stop.StopAfter(timeout);

    /// <summary>Cancelled when the statement has to stop.</summary>
    public CancellationToken Stop => stop.Token;

    /// <summary>Cancelled when nobody waits for it any more.</summary>
    public CancellationToken GiveUp => giveUp.Waits;

    /// <summary>Whether its connection was found dead.</summary>
    public bool IsLost => isLost;

    /// <summary>Nothing can come from its connection any more.</summary>
    public void Lose()
    {
        isLost = true;
        // The driver's part of stopping asks the server, which may take long; but it must have begun.
        stop.Stop();
        giveUp.StopAfter(BeforeGivingUp);
    }

    public void Dispose()
    {
        registration.Dispose();
        giveUp.Dispose();
        stop.Dispose();
    }
}
