using Millrace.Execution;

namespace Millrace.Store;

/// <summary>Reads the signals of an instance.</summary>
internal sealed class SignalStore(Database database)
{
    /// <summary>The signals after a number, oldest first.</summary>
    public async Task<IReadOnlyList<Signal>> AfterAsync(Guid instance, long number, CancellationToken cancel)
    {
        await using var command = database.Source.CreateCommand(SqlText.Signals);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(instance)));
        command.Parameters.Add(Columns.Value(instance));
        command.Parameters.Add(Columns.Value(number));
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var signals = new List<Signal>();
        while (await reader.ReadAsync(cancel))
            signals.Add(new(reader.GetInt64(0), reader.GetString(1), reader.JsonOrNull(2)!));
        return signals;
    }
}
