using Millrace.Chaos;
using Millrace.Chaos.Sabotage;
using Millrace.Store;
using Millrace.Tests.Support;

namespace Millrace.Tests.Pump;

/// <summary>The chaos harness says that one of its servers has a wrong clock: it must believe it.</summary>
public sealed class WrongClockTests
{
    [WrongClockFact]
    public async Task A_server_that_is_given_a_wrong_clock_goes_by_it()
    {
        var folder = Directory.CreateTempSubdirectory("millrace-clock-").FullName;
        var connection = await TestCluster.CreateDatabaseAsync();
        var key = KeyStore.NewKey();
        try
        {
            var clock = await WrongClock.MakeAsync(folder, TimeSpan.FromMinutes(10));
            await using var server = ServerProcess.StartOn(connection, key, [.. clock!.Environment]);
            using var client = await server.ClientAsync(key);
            using var answer = await client.GetAsync("health");

            var error = answer.Headers.Date!.Value - DateTimeOffset.UtcNow;
            Assert.InRange(error, TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(11));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            await TestCluster.DropDatabaseAsync(connection);
        }
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class WrongClockFactAttribute : FactAttribute
    {
        public WrongClockFactAttribute()
        {
            if (WrongClock.Compiler is null)
                Skip = "needs Linux and a C compiler (Debian: apt-get install gcc)";
        }
    }
}
