using Millrace.Store;
using Millrace.Tests.Support;
using Npgsql;

namespace Millrace.Tests.Store;

/// <summary>Npgsql works in one way only, in every process of ours: what passes here passes in the server.</summary>
public sealed class NpgsqlBehaviourTests
{
    [Fact]
    public async Task A_text_with_two_statements_is_refused_here_as_it_is_in_the_server()
    {
        Assert.False(NpgsqlBehaviour.Rewrites);
        var cluster = await TestCluster.GetAsync();
        await using var source = NpgsqlDataSource.Create(cluster.ConnectionString);
        await using var command = source.CreateCommand("SELECT 1; SELECT 2");
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.SyntaxError, refusal.SqlState);
    }

    [Theory]
    [InlineData("Millrace.Tests")]
    [InlineData("Millrace.Server")]
    [InlineData("Millrace.Chaos")]
    public void Programs_are_built_for_it(string program)
    {
        var settings = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, $"{program}.runtimeconfig.json"));
        Assert.Contains("\"Npgsql.EnableSqlRewriting\": false", settings, StringComparison.Ordinal);
    }
}
