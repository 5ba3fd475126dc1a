using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Millrace.Configuration;

/// <summary>All settings, under <c>Millrace:</c> (in the environment <c>Millrace__…</c>).</summary>
public sealed class MillraceOptions
{
    /// <summary>The store's database. Absent: the server runs a local PostgreSQL of its own.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Where a local PostgreSQL keeps its cluster. Absent: a folder of the user's own.</summary>
    public string? DataDirectory { get; set; }

    /// <summary>An API key that always works. Absent: on an empty store the server makes one and prints it once.</summary>
    [RegularExpression("mr_[A-Za-z0-9_-]{20,128}", ErrorMessage = "must begin with \"mr_\", followed by 20 to 128 letters, digits, \"_\" and \"-\"")]
    public string? ApiKey { get; set; }

    /// <summary>Databases that SQL nodes can name. One called <c>default</c> serves nodes that name none; absent, the store's does.</summary>
    public Dictionary<string, string> Connections { get; set; } = new(StringComparer.Ordinal);

    /// <summary>The store.</summary>
    [ValidateObjectMembers]
    public StoreOptions Store { get; set; } = new();

    /// <summary>The pump.</summary>
    [ValidateObjectMembers]
    public PumpOptions Pump { get; set; } = new();

    /// <summary>When the function app's pump looks for work that no token has told of, in six fields, seconds first. The host reads it.</summary>
    public string PumpSchedule { get; set; } = "*/30 * * * * *";

    /// <summary>When the function app sees to partitions, retention, keys and receipts, in six fields, seconds first. The host reads it.</summary>
    public string MaintenanceSchedule { get; set; } = "0 7 * * * *";

    /// <summary>Wake tokens of the function app.</summary>
    [ValidateObjectMembers]
    public WakeOptions Wake { get; set; } = new();

    /// <summary>Which plan the process runs on, and what it may take of the database.</summary>
    [ValidateObjectMembers]
    public SizingOptions Sizing { get; set; } = new();

    /// <summary>Log-ins with a Microsoft Entra identity.</summary>
    public EntraOptions Entra { get; set; } = new();

    /// <summary>SQL nodes.</summary>
    [ValidateObjectMembers]
    public SqlOptions Sql { get; set; } = new();

    /// <summary>HTTP nodes.</summary>
    [ValidateObjectMembers]
    public HttpOptions Http { get; set; } = new();

    /// <summary>Limits on sizes.</summary>
    [ValidateObjectMembers]
    public LimitOptions Limits { get; set; } = new();

    /// <summary>The local PostgreSQL that the server runs where no connection string is given.</summary>
    [ValidateObjectMembers]
    public LocalPostgresOptions LocalPostgres { get; set; } = new();
}

/// <summary>Checks <see cref="MillraceOptions"/> and everything below it.</summary>
[OptionsValidator]
public sealed partial class MillraceOptionsValidator : IValidateOptions<MillraceOptions>;
