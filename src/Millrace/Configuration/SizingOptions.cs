using System.ComponentModel.DataAnnotations;

namespace Millrace.Configuration;

/// <summary>What the process runs on (<c>Millrace:Sizing</c>). It chooses defaults for other settings, and what is checked at start-up.</summary>
public sealed class SizingOptions
{
    /// <summary>The plan of the function app: <c>flex-512</c>, <c>flex-2048</c> or <c>flex-4096</c>. Absent: one process of its own, with the general defaults.</summary>
    public string? Sku { get; set; }

    /// <summary>The SKU of the PostgreSQL flexible server, such as <c>D2ds_v5</c>; needed where <see cref="Sku"/> is given.</summary>
    public string? Postgres { get; set; }

    /// <summary>How many instances a group of functions, or how many servers, may grow to. Absent: what the profile says, one without a profile.</summary>
    [Range(1, 1000)]
    public int? Instances { get; set; }

    /// <summary>Whether a process refuses to start that could, with its fellows, ask for more connections than there are; if not, it warns.</summary>
    public bool Enforce { get; set; } = true;
}
