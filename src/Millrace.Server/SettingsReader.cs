using Millrace.Configuration;
using Millrace.Sizing;
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
            var section = configuration.GetSection("Millrace");
            var settings = new MillraceOptions();
            SizingProfile.Of(section)?.Apply(settings);
            section.Bind(settings, binder => binder.ErrorOnUnknownConfiguration = true);
            return settings;
        }
        catch (InvalidOperationException e)
        {
            throw new SettingException("Millrace", $"has wrong settings: {(e.InnerException ?? e).Message.TrimEnd('.')}: {e.Message.TrimEnd('.')}");
        }
    }
}
