using Npgsql;

namespace Millrace.Nodes;

/// <summary>A named connection: pools of its own, a queue for its places, and what is known of its database.</summary>
/// <param name="Name">What nodes call it.</param>
/// <param name="Source">The pool of statements that leave nothing behind.</param>
/// <param name="Wary">
/// The pool of all others. Each of its sessions is put back to its beginnings or closed before it serves another statement,
/// and so it has no prepared statements, which would go with the rest. Behind a pooler it is the same as the first.
/// </param>
/// <param name="Places">How many statements are executed at once, by whom.</param>
/// <param name="IsPooled">Whether a transaction pooler stands in between, whose sessions take no settings of ours.</param>
internal sealed record SqlConnection(string Name, NpgsqlDataSource Source, NpgsqlDataSource Wary, FairGate Places, bool IsPooled) : IAsyncDisposable
{
    /// <summary>How long a statement may take by the sessions' own limit.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>
    /// How long a transaction may stay open between two messages of ours, which follow each other at once: a worker that
    /// is stopped in between must not hold its rows against the one that takes over.
    /// </summary>
    public required TimeSpan IdleInTransaction { get; init; }

    /// <summary>Where receipts are kept.</summary>
    public ReceiptTable Receipts { get; } = new();

    /// <summary>What has been seen of the statements.</summary>
    public StatementHabits Habits { get; } = new();

    /// <summary>The types of its database.</summary>
    public SqlTypes Types { get; } = new(Source);

    /// <summary>Finds dead connections; null behind a pooler, whose sessions are not the server's.</summary>
    public SessionWatch? Watch { get; init; }

    /// <summary>Lets quick reads share sessions.</summary>
    public ReadPipeline? Pipeline { get; set; }

    /// <summary>Whether a statement gets a session that has to be put back after it.</summary>
    public bool IsWaryOf(string statement) => !IsPooled && Habits.MayLeaveTraces(statement);

    /// <summary>Lets go of all sessions that were made before now, those at work when they have ended it.</summary>
    public void Clear()
    {
        Source.Clear();
        Wary.Clear();
        // A database that comes back may be another one.
        Types.Forget();
    }

    public async ValueTask DisposeAsync()
    {
        if (Pipeline is not null)
            await Pipeline.DisposeAsync();
        if (Watch is not null)
            await Watch.DisposeAsync();
        await Wary.DisposeAsync();
        await Source.DisposeAsync();
    }
}
