using System.Text.RegularExpressions;

namespace Millrace.Tests.Support;

/// <summary>Lets the waits of a parked instance be over, as if their time had come.</summary>
internal static class TimeTravel
{
    public static async Task PassAsync(string connectionString, string id)
    {
        var snapshot = await TestCluster.ScalarAsync<string>(connectionString, $"select snapshot::text from millrace.work where id = '{id}' and lease_token is null");
        var earlier = Regex.Replace(snapshot, "\"until\":\"[^\"]*\"", $"\"until\":\"{DateTimeOffset.UtcNow.AddSeconds(-1):O}\"");
        Assert.NotEqual(snapshot, earlier);
        await TestCluster.ExecuteAsync(connectionString, $"update millrace.work set snapshot = '{earlier.Replace("'", "''", StringComparison.Ordinal)}', ready_at = now() where id = '{id}'");
    }
}
