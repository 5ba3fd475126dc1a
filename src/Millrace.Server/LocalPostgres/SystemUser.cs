using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Millrace.Server.LocalPostgres;

/// <summary>
/// The user that PostgreSQL runs as. It refuses to run as root, so where this process is root another user is taken:
/// the distribution's own for PostgreSQL if there is one, or else the one that owns nothing.
/// </summary>
internal sealed partial record SystemUser(string Name, uint Uid, uint Gid)
{
    /// <summary>The user to run as; null to run as whoever runs this process.</summary>
    public static SystemUser? ForPostgres()
    {
        if (OperatingSystem.IsWindows() || !Environment.IsPrivilegedProcess)
            return null;
        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length > 3).ToList();
        var user = users.Find(fields => fields[0] is "postgres") ?? users.Find(fields => fields[0] is "nobody")
            ?? throw new LocalPostgresException("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody here."
                + " Run this as another user, or set Millrace:ConnectionString.");
        return new(user[0], uint.Parse(user[2], System.Globalization.CultureInfo.InvariantCulture), uint.Parse(user[3], System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>Makes this user the owner of a file or folder, never of what a link leads to.</summary>
    public void Own(string path) => Give(path, Uid, Gid, Name);

    /// <summary>Makes root, who runs this process, the owner of a file or folder.</summary>
    public static void TakeBack(string path) => Give(path, 0, 0, "root");

    private static void Give(string path, uint uid, uint gid, string name)
    {
        if (ChangeOwner(path, uid, gid) != 0)
            throw new LocalPostgresException($"{path} could not be given to the user {name}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}.");
    }

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ChangeOwner(string path, uint owner, uint group);
}
