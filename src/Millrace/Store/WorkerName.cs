namespace Millrace.Store;

/// <summary>What this process is called in the history: the machine, the process, and a part that tells two apart.</summary>
internal sealed record WorkerName(string Value)
{
    public static WorkerName ForThisProcess() =>
        new($"{Environment.MachineName}/{Environment.ProcessId}/{Random.Shared.Next(0x10000):x4}");
}
