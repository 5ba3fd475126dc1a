using Microsoft.Extensions.Configuration;
using Millrace.Configuration;

namespace Millrace.Sizing;

/// <summary>The settings that suit a size of instances and a size of PostgreSQL; each of them can be overridden.</summary>
/// <param name="Host">The size of instances.</param>
/// <param name="Postgres">The size of PostgreSQL.</param>
public sealed record SizingProfile(HostSku Host, PostgresSku Postgres)
{
    /// <summary>For each PostgreSQL the profile with the instances that suit it.</summary>
    public static IReadOnlyList<SizingProfile> Recommended { get; } =
        [.. PostgresSku.All.Select(postgres => Of(null, postgres.Name))];

    /// <summary>How many instances a group of functions may grow to: what the connections allow, and no more than suits the PostgreSQL. Zero: they do not fit.</summary>
    public int Instances => Math.Clamp(Demand(1).MostInstances(Budget), 0, Postgres.Instances);

    /// <summary>How many connections may be asked for.</summary>
    public int Budget => ConnectionDemand.Budget(Postgres.Available);

    /// <summary>How many connections the app may ask for.</summary>
    /// <param name="instances">How many instances each group has.</param>
    public ConnectionDemand Demand(int instances)
    {
        var settings = new MillraceOptions();
        Fill(settings);
        (settings.Sizing.Sku, settings.Sizing.Instances) = (Host.Name, instances);
        return ConnectionDemand.Of(settings);
    }

    /// <summary>The profile that the configuration names; null where it names none.</summary>
    /// <exception cref="SettingException">There is no such profile.</exception>
    public static SizingProfile? Of(IConfiguration millrace)
    {
        var (sku, postgres) = (millrace["Sizing:Sku"], millrace["Sizing:Postgres"]);
        if (string.IsNullOrWhiteSpace(sku))
        {
            return string.IsNullOrWhiteSpace(postgres)
                ? null
                : throw new SettingException("Millrace:Sizing:Sku", $"is missing, since Millrace:Sizing:Postgres is given: one of {Names(HostSku.All.Select(host => host.Name))}");
        }

        return Of(sku, postgres ?? "");
    }

    /// <summary>The profile for two names; without the first, the one with the instances that suit the PostgreSQL.</summary>
    /// <exception cref="SettingException">There is none.</exception>
    public static SizingProfile Of(string? sku, string postgres)
    {
        var size = Find("Millrace:Sizing:Postgres", postgres, PostgresSku.All, one => one.Name);
        return new(Find("Millrace:Sizing:Sku", sku ?? size.Host, HostSku.All, host => host.Name), size);
    }

    /// <summary>Writes the profile's figures into settings.</summary>
    public void Apply(MillraceOptions settings)
    {
        Fill(settings);
        settings.Sizing.Instances = Instances;
    }

    private void Fill(MillraceOptions settings)
    {
        (settings.Store.PoolSize, settings.Store.BatchPoolSize, settings.Store.MatchPoolSize) = (Host.StorePool, Host.BatchPool, Host.MatchPool);
        settings.Sql.PoolSize = Host.SqlPool;
        (settings.Pump.ClaimBatch, settings.Pump.MaxInstances, settings.Pump.MaxStateBytes) = (Host.ClaimBatch, Host.MaxInstances, (long)Host.MaxStateMB << 20);
    }

    private static T Find<T>(string setting, string name, IReadOnlyList<T> all, Func<T, string> nameOf) =>
        all.FirstOrDefault(one => nameOf(one).Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new SettingException(setting, name.Length == 0
            ? $"is missing: one of {Names(all.Select(nameOf))}"
            : $"is \"{name}\", which is none of {Names(all.Select(nameOf))}");

    private static string Names(IEnumerable<string> names) => string.Join(", ", names);
}
