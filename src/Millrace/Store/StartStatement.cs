using Npgsql;
using NpgsqlTypes;

namespace Millrace.Store;

/// <summary>What the statements that store starts have in common.</summary>
internal static class StartStatement
{
    /// <summary>Ids for new instances of one bucket.</summary>
    public static Guid[] Ids(short bucket, int count, StoreClock clock)
    {
        var ids = new Guid[count];
        for (var i = 0; i < count; i++)
            ids[i] = InstanceId.New(bucket, clock.Now);
        return ids;
    }

    /// <summary>The bucket, and one array for each column.</summary>
    public static void AddColumns(NpgsqlParameterCollection parameters, short bucket, Guid[] ids, IReadOnlyList<ResolvedStart> starts)
    {
        parameters.Add(Columns.Value(bucket));
        parameters.Add(Columns.Value(ids));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Uuid, start => start.Request.Organisation));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Bytea, start => start.DefinitionHash));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Text, start => start.Request.Workflow));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Integer, start => start.Version));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Text, start => start.Request.Label));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Smallint, start => start.Request.Priority));
        parameters.Add(Columns.JsonArray(starts, start => start.Request.Input));
        parameters.Add(Columns.JsonArray(starts, start => start.Variables));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.TimestampTz, start => start.Request.RunAt?.UtcDateTime));
        parameters.Add(Columns.Array(starts, NpgsqlDbType.Interval, start => start.Request.Delay));
    }
}
