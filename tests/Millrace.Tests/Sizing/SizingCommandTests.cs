using Millrace.Configuration;
using Millrace.Server;

namespace Millrace.Tests.Sizing;

/// <summary>What <c>sizing</c> prints.</summary>
public sealed class SizingCommandTests
{
    [Fact]
    public void Without_options_it_prints_all_profiles()
    {
        var (code, text) = Run(null, null, null);
        Assert.Equal(0, code);
        var lines = text.Split('\n');
        Assert.StartsWith("PostgreSQL  connections  budget  instances of  most", lines[0], StringComparison.Ordinal);
        Assert.Matches(@"^B1ms +35 +28 +flex-512 +1 +3 +12 +27 +50 +100 +3$", lines[1]);
        Assert.Matches(@"^D2ds_v5 +844 +675 +flex-2048 +12 +8 +30 +486 +200 +500 +8$", lines[3]);
    }

    [Fact]
    public void One_combination_is_worked_out()
    {
        var (code, text) = Run("flex-4096", "D2ds_v5", 8);
        Assert.Equal(0, code);
        Assert.Contains("8 instances × (10 for calls + 55 for woken drains) + 55 for the scheduled drain = 575", text, StringComparison.Ordinal);
        Assert.Contains("Millrace__Sizing__Instances=8", text, StringComparison.Ordinal);
        Assert.Contains("Millrace__Sql__PoolSize=18", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_PostgreSQL_alone_is_enough()
    {
        var (code, text) = Run(null, "b2s", null);
        Assert.Equal(0, code);
        Assert.Contains("flex-2048: 2,048 MB, 1 cores", text, StringComparison.Ordinal);
        Assert.Contains("Millrace__Sizing__Instances=6", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("flex-4096", "D2ds_v5", 40, "Too many: 9 instances at the most.")]
    [InlineData("flex-4096", "B1ms", null, "They do not fit")]
    public void What_does_not_fit_is_said_and_ends_with_1(string sku, string postgres, int? instances, string said)
    {
        var (code, text) = Run(sku, postgres, instances);
        Assert.Equal(1, code);
        Assert.Contains(said, text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_is_not_known_is_told_with_those_that_are()
    {
        Assert.Contains("none of B1ms, B2s", Assert.Throws<SettingException>(() => Run(null, "M5", null)).Message, StringComparison.Ordinal);
        Assert.Contains("--postgres is missing", Assert.Throws<SettingException>(() => Run("flex-512", null, null)).Message, StringComparison.Ordinal);
    }

    private static (int Code, string Text) Run(string? sku, string? postgres, int? instances)
    {
        using var output = new StringWriter { NewLine = "\n" };
        return (SizingCommand.Run(sku, postgres, instances, output), output.ToString());
    }
}
