namespace Millrace.Server.LocalPostgres;

/// <summary>A PostgreSQL that this process has started, or has found running in its data folder.</summary>
internal interface ILocalServer : IAsyncDisposable
{
    /// <summary>How to connect to a database of it, as its superuser.</summary>
    string ConnectionString { get; }

    /// <summary>What it is and where, for a person to read.</summary>
    string Description { get; }
}
