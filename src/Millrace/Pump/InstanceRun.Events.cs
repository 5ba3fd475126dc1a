using Millrace.Execution;
using Millrace.Faults;

namespace Millrace.Pump;

// What happens to the instance: ends of its nodes, requests, signals, ends of its children, and time.
internal sealed partial class InstanceRun
{
    private static readonly TimeSpan BetweenQuestions = TimeSpan.FromMilliseconds(200);

    // Waits until something has happened, and takes in all that has.
    private async Task TakeEventsAsync()
    {
        while (true)
        {
            var any = TakeEnds();
            any |= TakeCancel();
            if (!IsSuspended)
            {
                any |= await AskStoreAsync(TakeSignalsAsync);
                any |= await AskStoreAsync(TakeChildrenAsync);
                any |= TakeTimers();
            }

            if (any || (held && !IsSuspended))
                return;
            interrupt.Token.ThrowIfCancellationRequested();
            if (IsIdle() && !MustHold())
                return;
            await pulse.WaitAsync(UntilNextTimer(), interrupt.Token);
            await AskStoreAsync(LookAsync);
        }
    }

    // While the store does not answer, what needs no answer goes on; the question is asked again a little later.
    private async Task<bool> AskStoreAsync(Func<Task<bool>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (StoreFaults.IsPassing(e))
        {
            services.Database.Suspect(e);
            await Task.Delay(BetweenQuestions, services.Time, interrupt.Token);
            pulse.Set();
            return false;
        }
    }

    private bool TakeEnds()
    {
        var any = false;
        foreach (var end in nodes.TakeEnds())
        {
            journal.Take(end);
            any = true;
        }

        return any;
    }

    private bool TakeCancel()
    {
        if (cancelTaken || Now() is not { CancelRequested: true, CancelReason: var reason })
            return false;
        cancelTaken = true;
        journal.Take(new CancelRequested(services.Clock.Now, reason));
        return true;
    }

    private async Task<bool> TakeSignalsAsync()
    {
        if (Now().Signals <= journal.State.Mailbox.Seen)
            return false;
        foreach (var signal in await services.Signals.AfterAsync(claim.Id, journal.State.Mailbox.Seen, interrupt.Token))
            journal.Take(new SignalArrived(services.Clock.Now, signal));
        return true;
    }

    private async Task<bool> TakeChildrenAsync()
    {
        var now = Now();
        if (!children.HasNews(now))
            return false;
        var ends = await children.EndsAsync(workflow, facts, journal.State, now, interrupt.Token);
        foreach (var end in ends)
            journal.Take(end);
        return ends.Count > 0;
    }

    private bool TakeTimers()
    {
        var now = services.Clock.Now;
        if (!(journal.State.NextDue <= now))
            return false;
        journal.Take(new TimerDue(now));
        return true;
    }

    private TimeSpan UntilNextTimer()
    {
        if (IsSuspended || journal.State.NextDue is not { } due)
            return Timeout.InfiniteTimeSpan;
        // Whole milliseconds, upwards: a timer that fires early would only be set again.
        var wait = Math.Ceiling((due - services.Clock.Now).TotalMilliseconds);
        return TimeSpan.FromMilliseconds(Math.Clamp(wait, 0, int.MaxValue));
    }

    // A nudge says only that there is something to see.
    private async Task<bool> LookAsync()
    {
        if (!nudged)
            return false;
        // Before the look, or a nudge that comes during it would be taken for this one.
        nudged = false;
        try
        {
            if (await services.Claims.StandingAsync(claim.Lease, interrupt.Token) is { } told)
                Observe(told);
            else
                LoseLease();
            return true;
        }
        catch
        {
            nudged = true;
            throw;
        }
    }
}
