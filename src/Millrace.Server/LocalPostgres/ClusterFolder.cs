namespace Millrace.Server.LocalPostgres;

/// <summary>
/// The folder of a cluster. Where this process is root, the folder and what root writes into it are root's own, and only
/// what PostgreSQL writes is PostgreSQL's: whoever may act as that user, as any statement of its superuser may, could
/// otherwise put a link in the place of a file and have root write or give away what the link leads to.
/// </summary>
/// <param name="path">Where it is.</param>
/// <param name="user">The user that PostgreSQL runs as; null for the one of this process.</param>
internal sealed class ClusterFolder(string path, SystemUser? user)
{
    /// <summary>Makes the folder ready for both users.</summary>
    /// <exception cref="LocalPostgresException">Root should not use it; the message says why, and what to do.</exception>
    public void Prepare()
    {
        var isNew = !Directory.Exists(path);
        Directory.CreateDirectory(path);
        if (user is not null && !OperatingSystem.IsWindows())
            Share(isNew);
    }

    /// <summary>An empty folder that belongs to PostgreSQL.</summary>
    public void Make(string name)
    {
        var folder = Path.Combine(path, name);
        Directory.CreateDirectory(folder);
        user?.Own(folder);
    }

    /// <summary>A file that belongs to PostgreSQL, as it is or empty.</summary>
    public void MakeFile(string name)
    {
        var file = Path.Combine(path, name);
        if (user is null || File.Exists(file))
            return;
        using (new FileStream(file, FileMode.CreateNew))
        {
        }

        user.Own(file);
    }

    /// <summary>Writes a file beside its place and moves it there: whatever stands there is replaced, not written to.</summary>
    public void Write(string name, string text, bool isSecret = false)
    {
        var draft = Path.Combine(path, name + ".new");
        File.Delete(draft);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (isSecret && !OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(draft, options))
            writer.Write(text);
        if (isSecret)
            user?.Own(draft);
        File.Move(draft, Path.Combine(path, name), overwrite: true);
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private void Share(bool isNew)
    {
        const UnixFileMode ForOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        if (!isNew && (File.GetUnixFileMode(path) & ForOthers) != 0)
            throw new LocalPostgresException($"Everybody can write into {path}, so root should not trust what is in it. Set Millrace:DataDirectory to a folder of its own, such as {path.TrimEnd('/')}/millrace.");
        SystemUser.TakeBack(path);
        // From here on nobody else can change what the names in it stand for.
        foreach (var entry in new DirectoryInfo(path).EnumerateFileSystemInfos())
        {
            if (entry.LinkTarget is not null)
                throw new LocalPostgresException($"{entry.FullName} is a link, which root does not follow. Put what it leads to in its place, or remove it.");
        }

        File.SetUnixFileMode(path, (File.GetUnixFileMode(path) & ~ForOthers) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }

    /// <summary>Where PostgreSQL's user is stopped on its way into the folder, as far as it can be told; null where nothing seems to be in its way.</summary>
    public string? Barrier()
    {
        if (user is null || OperatingSystem.IsWindows())
            return null;
        for (var folder = Directory.GetParent(path); folder is not null; folder = folder.Parent)
        {
            if ((folder.UnixFileMode & UnixFileMode.OtherExecute) == 0)
                return folder.FullName;
        }

        return null;
    }
}
