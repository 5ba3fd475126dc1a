using Millrace.Configuration;
using Millrace.Store;

namespace Millrace.Server;

/// <summary>Reads the settings before there is a host, with errors that name the setting.</summary>
internal static class SettingsReader
{
    public static MillraceOptions Read(IConfiguration configuration)
    {
        var settings = Bind(configuration);
        var result = new MillraceOptionsValidator().Validate(null, settings);
        if (result.Failed)
            throw new SettingException("Millrace", $"has wrong settings: {string.Join(" ", result.Failures)}");
        ConnectionStrings.Check(settings);
        return settings;
    }

    private static MillraceOptions Bind(IConfiguration configuration)
    {
        try
        {
            return configuration.GetSection("Millrace").Get<MillraceOptions>(binder => binder.ErrorOnUnknownConfiguration = true) ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingException("Millrace", $"has wrong settings: {(e.InnerException ?? e).Message.TrimEnd('.')}: {e.Message.TrimEnd('.')}");
        }
    }
}
