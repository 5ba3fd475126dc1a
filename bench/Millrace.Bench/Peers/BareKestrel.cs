using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Millrace.Bench.Peers;

/// <summary>
/// What anybody would write first: a web server that inserts a row of facts and a row of work for each request, in one
/// statement and one commit, with no authentication, no validation and no batching.
/// </summary>
internal static class BareKestrel
{
    // One message holds one statement.
    private static readonly string[] Tables =
    [
        "DROP TABLE IF EXISTS bare_instance, bare_work",
        "CREATE TABLE bare_instance (id uuid PRIMARY KEY, body json NOT NULL, created_at timestamptz NOT NULL DEFAULT now())",
        "CREATE TABLE bare_work (id uuid PRIMARY KEY, ready_at timestamptz NOT NULL DEFAULT now())",
    ];

    private const string Insert = """
        WITH facts AS (INSERT INTO bare_instance (id, body) VALUES ($1, $2::json))
        INSERT INTO bare_work (id) VALUES ($1)
        """;

    /// <summary>The process's whole life; it says where it listens, and ends when its standard input does.</summary>
    public static async Task<int> RunAsProcessAsync(string connectionString, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
        {
            MaxPoolSize = 16,
            MaxAutoPrepare = 10,
            AutoPrepareMinUsages = 2,
            NoResetOnClose = true,
        });
        foreach (var table in Tables)
        {
            await using var make = source.CreateCommand(table);
            await make.ExecuteNonQueryAsync(cancel);
        }

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        app.MapPost("/start", async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync(context.RequestAborted);
            await using var command = source.CreateCommand(Insert);
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = body });
            await command.ExecuteNonQueryAsync(context.RequestAborted);
            context.Response.StatusCode = StatusCodes.Status202Accepted;
        });
        await app.StartAsync(cancel);
        Console.WriteLine(app.Urls.First());
        await Console.In.ReadToEndAsync(cancel);
        await app.StopAsync(cancel);
        return 0;
    }
}
