using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>The local PostgreSQL (<c>Millrace:LocalPostgres</c>).</summary>
public sealed class LocalPostgresOptions
{
    /// <summary>The folder of <c>initdb</c> and <c>pg_ctl</c>. Absent: PATH and the places where distributions put them are searched.</summary>
    public string? BinDirectory { get; set; }

    /// <summary>The image that Docker runs where there are no such programs.</summary>
    [RegularExpression("[a-z0-9][A-Za-z0-9._/:@-]*", ErrorMessage = "must be the name of an image")]
    public string DockerImage { get; set; } = "postgres:17";
}
