namespace Millrace.Execution;

/// <summary>The status of an instance.</summary>
public enum InstanceStatus
{
    /// <summary>Accepted, not begun.</summary>
    Pending,

    /// <summary>Held by a worker.</summary>
    Running,

    /// <summary>Parked until a time or an event.</summary>
    Waiting,

    /// <summary>Stopped by a caller until it is resumed.</summary>
    Suspended,

    /// <summary>Ended with a result.</summary>
    Completed,

    /// <summary>Ended with an error.</summary>
    Failed,

    /// <summary>Ended by a caller.</summary>
    Cancelled,
}

/// <summary>How a node execution ended.</summary>
public enum NodeStatus
{
    /// <summary>With a result.</summary>
    Completed,

    /// <summary>With an error.</summary>
    Failed,

    /// <summary>Given up before its end, because nobody waits for it any more.</summary>
    Cancelled,
}

/// <summary>The words for statuses in the API and in the store.</summary>
public static class StatusNames
{
    /// <summary>The word for a status.</summary>
    public static string Name(this InstanceStatus status) => status switch
    {
        InstanceStatus.Pending => "pending",
        InstanceStatus.Running => "running",
        InstanceStatus.Waiting => "waiting",
        InstanceStatus.Suspended => "suspended",
        InstanceStatus.Completed => "completed",
        InstanceStatus.Failed => "failed",
        _ => "cancelled",
    };

    /// <summary>The word for a status.</summary>
    public static string Name(this NodeStatus status) => status switch
    {
        NodeStatus.Completed => "completed",
        NodeStatus.Failed => "failed",
        _ => "cancelled",
    };

    /// <summary>Whether an instance with this status is over.</summary>
    public static bool IsEnd(this InstanceStatus status) => status >= InstanceStatus.Completed;

    /// <summary>The status of a word; null for an unknown one.</summary>
    public static InstanceStatus? InstanceStatusOf(string? name)
    {
        foreach (var status in Enum.GetValues<InstanceStatus>())
        {
            if (status.Name() == name)
                return status;
        }

        return null;
    }
}
