using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Server;

/// <summary>Spreads the store over a distributed PostgreSQL.</summary>
internal static class DistributeCommand
{
    public static async Task<int> RunAsync(Action<IConfigurationManager> configure, Action<string> say, CancellationToken cancel)
    {
        await using var app = await ServerApp.BuildAsync(null, configuration =>
        {
            configure(configuration);
            if (string.IsNullOrWhiteSpace(configuration["Millrace:ConnectionString"]))
                throw new SettingException("Millrace:ConnectionString", "is missing: it names the distributed PostgreSQL's coordinator");
        }, say, cancel);
        await app.Web.Services.GetRequiredService<Distribution>().RunAsync(say, cancel);
        return 0;
    }
}
