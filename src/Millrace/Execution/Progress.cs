using Millrace.Values;

namespace Millrace.Execution;

/// <summary>How a node or a sequence stands after an event. <typeparamref name="TFrame"/> is the frame it keeps while active.</summary>
internal abstract record Progress<TFrame>
{
    /// <summary>The same standing for whoever contains this; only a frame has to be wrapped.</summary>
    public Progress<TOuter> Wrap<TOuter>(Func<TFrame, TOuter> wrap) => this switch
    {
        Active<TFrame> active => new Active<TOuter>(wrap(active.Frame)),
        Completed<TFrame> completed => new Completed<TOuter>(completed.Result),
        Returned<TFrame> returned => new Returned<TOuter>(returned.Result),
        Broke<TFrame> broke => new Broke<TOuter>(broke.Result),
        Failed<TFrame> failed => new Failed<TOuter>(failed.Error, wrap(failed.Resume)),
        _ => throw new InvalidOperationException($"Unknown progress {GetType().Name}."),
    };
}

internal sealed record Active<TFrame>(TFrame Frame) : Progress<TFrame>;

internal sealed record Completed<TFrame>(Json Result) : Progress<TFrame>;

/// <summary>A <c>return</c> was reached: everything around it ends with the same result.</summary>
internal sealed record Returned<TFrame>(Json Result) : Progress<TFrame>;

/// <summary>A <c>break</c> was reached: everything around it ends, up to the nearest loop.</summary>
internal sealed record Broke<TFrame>(Json Result) : Progress<TFrame>;

/// <summary>A failure. <paramref name="Resume"/> is where to go on should a caller want the failed nodes tried again.</summary>
internal sealed record Failed<TFrame>(NodeError Error, TFrame Resume) : Progress<TFrame>;
