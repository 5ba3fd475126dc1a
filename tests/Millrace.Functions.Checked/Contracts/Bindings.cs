// What the app uses of the attributes of Microsoft.Azure.Functions.Worker and its extensions, written from their
// documentation. It never ships.
namespace Microsoft.Azure.Functions.Worker;

/// <summary>Makes a method a function.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FunctionAttribute(string name) : Attribute
{
    /// <summary>The function's name.</summary>
    public string Name => name;
}

/// <summary>Who may call a function with which of the host's keys.</summary>
public enum AuthorizationLevel
{
    /// <summary>Anybody; no key of the host's.</summary>
    Anonymous,

    /// <summary>Signed-in users.</summary>
    User,

    /// <summary>Holders of a key of the function.</summary>
    Function,

    /// <summary>The host itself.</summary>
    System,

    /// <summary>Holders of the master key.</summary>
    Admin,
}

/// <summary>Calls a function by HTTP.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class HttpTriggerAttribute(AuthorizationLevel authLevel, params string[] methods) : Attribute
{
    /// <summary>Who may call it.</summary>
    public AuthorizationLevel AuthLevel => authLevel;

    /// <summary>By which methods.</summary>
    public string[] Methods => methods;

    /// <summary>At which route, relative to the app's prefix.</summary>
    public string? Route { get; set; }
}

/// <summary>Marks the property of a function's result that is its HTTP answer.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class HttpResultAttribute : Attribute;

/// <summary>Calls a function by the clock.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class TimerTriggerAttribute(string schedule) : Attribute
{
    /// <summary>A cron expression of six fields, or the setting that holds it.</summary>
    public string Schedule => schedule;

    /// <summary>Whether the function also runs when the app starts.</summary>
    public bool RunOnStartup { get; set; }
}

/// <summary>How a timer stands.</summary>
public class TimerInfo
{
    /// <summary>Whether this call comes late.</summary>
    public bool IsPastDue { get; set; }
}

/// <summary>Calls a function for each message of a storage queue.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class QueueTriggerAttribute(string queueName) : Attribute
{
    /// <summary>The queue, or the setting that names it.</summary>
    public string QueueName => queueName;

    /// <summary>The setting that leads to the storage account; absent, the host's own.</summary>
    public string? Connection { get; set; }
}

/// <summary>Sends what a function returns to a storage queue.</summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Property)]
public sealed class QueueOutputAttribute(string queueName) : Attribute
{
    /// <summary>The queue, or the setting that names it.</summary>
    public string QueueName => queueName;

    /// <summary>The setting that leads to the storage account; absent, the host's own.</summary>
    public string? Connection { get; set; }
}
