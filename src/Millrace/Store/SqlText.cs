using System.Reflection;

namespace Millrace.Store;

/// <summary>The statements that are kept in files beside this one, embedded in the assembly.</summary>
internal static class SqlText
{
    public static readonly string Start = Load("start.sql");
    public static readonly string StartKeyed = Load("start_keyed.sql");
    public static readonly string StartBatch = Load("start_batch.sql");
    public static readonly string KeyHolders = Load("key_holders.sql");
    public static readonly string KeyItems = Load("key_items.sql");
    public static readonly string KeyClose = Load("key_close.sql");
    public static readonly WeekSql Claim = new(Load("claim.sql"));
    public static readonly WeekSql Facts = new(Load("facts.sql"));
    public static readonly string NextDue = Load("next_due.sql");
    public static readonly string Progress = Load("progress.sql");
    public static readonly string Park = Load("park.sql");
    public static readonly string Finish = Load("finish.sql");
    public static readonly string Renew = Load("renew.sql");
    public static readonly string AwaitRow = Load("await_row.sql");
    public static readonly string Release = Load("release.sql");
    public static readonly string Survived = Load("survived.sql");
    public static readonly string Cancel = Load("cancel.sql");
    public static readonly WeekSql Instance = new(Load("instance.sql"));
    public static readonly WeekSql Live = new(Load("live.sql"));
    public static readonly string History = Load("history.sql");
    public static readonly string Edges = Load("edges.sql");
    public static readonly string Begin = Load("begin.sql");
    public static readonly string Held = Load("held.sql");
    public static readonly string LockFamily = Load("lock_family.sql");
    public static readonly string LockRows = Load("lock_rows.sql");
    public static readonly string Alive = Load("alive.sql");
    public static readonly WeekSql EndedAmong = new(Load("ended_among.sql"));
    public static readonly string Save = Load("save.sql");
    public static readonly string Signal = Load("signal.sql");
    public static readonly string Signals = Load("signals.sql");
    public static readonly string ForgetSignals = Load("forget_signals.sql");
    public static readonly string Unsettled = Load("unsettled.sql");
    public static readonly string Suspend = Load("suspend.sql");
    public static readonly string Resume = Load("resume.sql");
    public static readonly string Retry = Load("retry.sql");
    public static readonly string Delete = Load("delete.sql");
    public static readonly string StartChildren = Load("start_children.sql");
    public static readonly string EndChildren = Load("end_children.sql");
    public static readonly string CancelChildren = Load("cancel_children.sql");
    public static readonly string Leftovers = Load("leftovers.sql");
    public static readonly string ForgetChildren = Load("forget_children.sql");
    public static readonly string ChildResults = Load("child_results.sql");

    internal static string Load(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The assembly has no resource {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
