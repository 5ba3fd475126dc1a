namespace Millrace.Tests.Support;

/// <summary>A database and a server for a class of tests.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    public string ConnectionString { get; private set; } = "";

    public TestServer Server { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        ConnectionString = await TestCluster.CreateDatabaseAsync();
        Server = await TestServer.StartAsync(ConnectionString);
    }

    public async Task DisposeAsync()
    {
        await Server.DisposeAsync();
        await TestCluster.DropDatabaseAsync(ConnectionString);
    }
}
