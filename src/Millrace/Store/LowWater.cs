using Microsoft.Extensions.Options;
using Millrace.Configuration;

namespace Millrace.Store;

/// <summary>
/// From where this process's looks into the work table begin, for each bucket and priority.
/// <para>
/// What is held stays where it was in the order of <c>ready_at</c>, since a claim that moved it would write to an index for
/// every instance, and of what has ended the index keeps its entries until a vacuum may take them: with an old snapshot
/// about, for as long as that lives. A look from the beginning walks over both, tens of thousands of them for a hundred
/// that are ready. But each look knows how far it has found everything claimed, so the next one need not begin before that.
/// </para>
/// <para>
/// This is not certain. Something may yet become ready below the mark: a lease runs out; a start commits late (its
/// <c>ready_at</c> is when its transaction began), names a time in the past, or comes by a clock that was put back; an
/// instance is handed back, or was locked by somebody else when the look came by. Little of that is further back than
/// <see cref="Margin"/>; and every so often a look begins at the beginning and finds the rest. Whole looks take up to a
/// fiftieth of the time: while they cost next to nothing every look is one, and however much they cost one is taken
/// after a third of a lease. So nothing is lost, and nothing waits for its takeover much longer than for its lease.
/// </para>
/// </summary>
internal sealed class LowWater(IOptions<MillraceOptions> options, TimeProvider time)
{
    /// <summary>How many priorities there are.</summary>
    public const int Priorities = 10;

    // How long a start's transaction may be under way and still be found by the next look. What lies within it is walked
    // over each time: some 300 ns for an entry.
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(250);

    // A whole look may be taken again after this many times what it costs.
    private const int Share = 50;

    // What a look costs in any case, and for each row that it locks.
    private static readonly TimeSpan Free = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan FreeForRow = TimeSpan.FromMicroseconds(10);

    // What Npgsql takes for "-infinity".
    private static readonly DateTime Beginning = DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc);

    private readonly Bucket[] buckets = [.. Enumerable.Range(0, options.Value.Store.Buckets).Select(_ => new Bucket())];
    private readonly TimeSpan longest = options.Value.Pump.Lease / 3;

    /// <summary>Where the next look into a bucket begins, for each priority.</summary>
    public Look Next(short bucket)
    {
        var marks = buckets[bucket];
        lock (marks)
        {
            return marks.Begin is null || time.GetElapsedTime(marks.WholeAt) >= PauseOf(marks)
                ? new(bucket, [.. Enumerable.Repeat(Beginning, Priorities)], IsWhole: true)
                : new(bucket, [.. marks.Begin], IsWhole: false);
        }
    }

    /// <summary>A look found all that could be claimed of everything up to a time, or of the more urgent priorities.</summary>
    /// <param name="look">The look.</param>
    /// <param name="begun">When its transaction began, by the store's clock.</param>
    /// <param name="took">How long it searched.</param>
    /// <param name="claimed">How many it claimed.</param>
    /// <param name="stopped">Where it stopped because it had enough; null where it came to the end.</param>
    public void Found(Look look, DateTimeOffset begun, TimeSpan took, int claimed, (int Priority, DateTimeOffset ReadyAt)? stopped = null)
    {
        var marks = buckets[look.Bucket];
        lock (marks)
        {
            NoteWhole(marks, look, took - Free - (FreeForRow * claimed));
            marks.Begin ??= [.. look.Begin];
            for (var priority = 0; priority <= (stopped?.Priority ?? Priorities - 1); priority++)
            {
                var upTo = priority == stopped?.Priority ? stopped.Value.ReadyAt : begun;
                marks.Begin[priority] = upTo.UtcDateTime is var at && at > Beginning + Margin ? at - Margin : Beginning;
            }
        }
    }

    /// <summary>A look found nothing, and nobody can say up to when by the store's clock.</summary>
    public void FoundNothing(Look look, TimeSpan took)
    {
        var marks = buckets[look.Bucket];
        lock (marks)
            NoteWhole(marks, look, took - Free);
    }

    /// <summary>A look saw something that can be claimed, and left it to the next one.</summary>
    public void Left(Look look, TimeSpan took)
    {
        var marks = buckets[look.Bucket];
        lock (marks)
        {
            NoteWhole(marks, look, took - Free);
            // It may lie anywhere.
            if (look.IsWhole)
                marks.Begin = null;
        }
    }

    /// <summary>A look failed: how long it took says nothing of what it would have cost, and the next one begins at the beginning.</summary>
    public void Failed(Look look)
    {
        var marks = buckets[look.Bucket];
        lock (marks)
            marks.Begin = null;
    }

    // Where a whole look costs more than a lease allows for, its share gives way; but not to more than a quarter.
    private TimeSpan PauseOf(Bucket marks)
    {
        var pause = marks.Cost * Share;
        return pause < longest ? pause : TimeSpan.FromTicks(Math.Max(longest.Ticks, marks.Cost.Ticks * 4));
    }

    private void NoteWhole(Bucket marks, Look look, TimeSpan cost)
    {
        if (!look.IsWhole)
            return;
        marks.WholeAt = time.GetTimestamp();
        marks.Costs[marks.Wholes++ % marks.Costs.Length] = cost > TimeSpan.Zero ? cost : TimeSpan.Zero;
    }

    /// <summary>A look into a bucket.</summary>
    /// <param name="Bucket">Which.</param>
    /// <param name="Begin">Where it begins, for each priority.</param>
    /// <param name="IsWhole">Whether that is the beginning.</param>
    internal sealed record Look(short Bucket, DateTime[] Begin, bool IsWhole);

    private sealed class Bucket
    {
        // The last few: a single one may have been slow for any reason.
        public readonly TimeSpan[] Costs = new TimeSpan[3];

        public DateTime[]? Begin;
        public long WholeAt;
        public int Wholes;

        public TimeSpan Cost => Wholes < Costs.Length ? TimeSpan.Zero : Costs.Min();
    }
}
