namespace Millrace.Server.LocalPostgres;

/// <summary>The local PostgreSQL cannot be had; the message says why and what to do.</summary>
internal sealed class LocalPostgresException(string message) : Exception(message);
