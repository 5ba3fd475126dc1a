using Millrace.Configuration;

namespace Millrace.Server.LocalPostgres;

/// <summary>Finds the programs of a PostgreSQL installation.</summary>
internal sealed class PostgresPrograms
{
    private static readonly string[] Needed = ["initdb", "pg_ctl", "postgres"];

    private PostgresPrograms(string directory) => Directory = directory;

    public string Directory { get; }

    public string InitDb => Path.Combine(Directory, "initdb");

    public string PgCtl => Path.Combine(Directory, "pg_ctl");

    /// <summary>The programs in the folder of the setting, or else the newest that can be found; null where there are none.</summary>
    public static PostgresPrograms? Find(string? setting)
    {
        if (setting is null)
            return Candidates().Where(IsComplete).Select(directory => new PostgresPrograms(directory)).FirstOrDefault();
        if (IsComplete(setting))
            return new(setting);
        throw new SettingException("Millrace:LocalPostgres:BinDirectory", $"is \"{setting}\", which does not contain {string.Join(", ", Needed)}");
    }

    private static IEnumerable<string> Candidates()
    {
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return directory;

        // Debian and Ubuntu; Red Hat and Fedora; Homebrew on both kinds of Mac; Postgres.app; the Windows installer.
        var places = new[]
        {
            ("/usr/lib/postgresql", "*", "bin"), ("/usr", "pgsql-*", "bin"), ("/opt/homebrew/opt", "postgresql@*", "bin"),
            ("/usr/local/opt", "postgresql@*", "bin"), ("/Applications/Postgres.app/Contents/Versions", "*", "bin"),
            (Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"), "*", "bin"),
        };
        foreach (var (root, pattern, bin) in places)
        {
            if (!System.IO.Directory.Exists(root))
                continue;
            foreach (var version in System.IO.Directory.GetDirectories(root, pattern).OrderByDescending(VersionOf))
                yield return Path.Combine(version, bin);
        }
    }

    private static bool IsComplete(string directory) => Needed.All(program => File.Exists(Path.Combine(directory, program + Extension)));

    private static string Extension => OperatingSystem.IsWindows() ? ".exe" : "";

    private static double VersionOf(string directory) =>
        double.TryParse(Path.GetFileName(directory).Split('-', '@')[^1], System.Globalization.CultureInfo.InvariantCulture, out var version) ? version : 0;
}
