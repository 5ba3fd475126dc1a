using Millrace.Configuration;

namespace Millrace.Server;

/// <summary>Reads the settings before there is a host, with errors that name the setting.</summary>
internal static class SettingsReader
{
    public static MillraceOptions Read(IConfiguration configuration)
    {
        var settings = Bind(configuration);
        var result = new MillraceOptionsValidator().Validate(null, settings);
        return result.Failed ? throw new SettingException("Millrace", $"has wrong settings: {string.Join(" ", result.Failures)}") : settings;
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
