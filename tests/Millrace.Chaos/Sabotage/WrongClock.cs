using System.Diagnostics;
using System.Globalization;

namespace Millrace.Chaos.Sabotage;

/// <summary>
/// The wall clock of a process, gone wrong: a small library that is loaded before the C library answers for it. The
/// program is the one that is shipped; only what it hears is another time.
/// </summary>
internal sealed class WrongClock
{
    /// <summary>What makes it; null where there is none, or no such way to load it.</summary>
    public static readonly string? Compiler =
        OperatingSystem.IsLinux() ? new[] { "/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang" }.FirstOrDefault(File.Exists) : null;

    private readonly string library;
    private readonly TimeSpan error;

    private WrongClock(string library, TimeSpan error) => (this.library, this.error) = (library, error);

    /// <summary>What to set in a process's environment.</summary>
    public IEnumerable<(string Name, string Value)> Environment =>
        [("LD_PRELOAD", library), ("MILLRACE_CLOCK_ERROR", error.TotalSeconds.ToString("0", CultureInfo.InvariantCulture))];

    /// <summary>Makes it; null where that cannot be done.</summary>
    /// <param name="folder">Where the library is put.</param>
    /// <param name="error">By how much the clock is ahead.</param>
    public static async Task<WrongClock?> MakeAsync(string folder, TimeSpan error)
    {
        if (Compiler is null)
            return null;
        var source = Path.Combine(folder, "wrong_clock.c");
        var library = Path.Combine(folder, "wrong_clock.so");
        await using (var file = File.Create(source))
        await using (var text = typeof(WrongClock).Assembly.GetManifestResourceStream("wrong_clock.c")!)
            await text.CopyToAsync(file);
        using var process = Process.Start(Compiler, ["-shared", "-fPIC", "-O1", "-o", library, source]);
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? new(library, error) : null;
    }
}
