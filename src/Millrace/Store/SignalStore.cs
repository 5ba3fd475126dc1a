using Millrace.Execution;

namespace Millrace.Store;

/// <summary>Reads the signals of an instance.</summary>
internal sealed class SignalStore(Database database)
{
    /// <summary>A page of the signals after a number, oldest first.</summary>
    public Task<Page<Signal>> AfterAsync(Guid instance, long number, CancellationToken cancel) => Pages.ReadAsync<Signal>(
        1000,
        (last, count) => RowsAsync(instance, last?.Number ?? number, count, cancel),
        signal => 200 + signal.Name.Length + signal.Data.Utf8.Length,
        cancel);

    /// <summary>What the signals take that wait to be received.</summary>
    public static long BytesIn(Mailbox mailbox) => mailbox.Waiting.Sum(signal => (long)signal.Data.Utf8.Length);

    private IAsyncEnumerable<Signal> RowsAsync(Guid instance, long number, int limit, CancellationToken cancel)
    {
        var command = database.Source.CreateCommand(SqlText.Signals);
        command.Parameters.Add(Columns.Value(InstanceId.BucketOf(instance)));
        command.Parameters.Add(Columns.Value(instance));
        command.Parameters.Add(Columns.Value(number));
        command.Parameters.Add(Columns.Value(limit));
        return Pages.RowsAsync(command, reader => new Signal(reader.GetInt64(0), reader.GetString(1), reader.JsonOrNull(2)!), cancel);
    }
}
