using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Millrace.Server.LocalPostgres;

/// <summary>The file that the server's port was written to, so that it listens again where clients found it the last time.</summary>
internal sealed class PortFile(string path)
{
    /// <summary>The port of last time if it is still free, or else any free one of the loopback interface.</summary>
    public int Choose()
    {
        var last = File.Exists(path) && int.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out var port) ? port : 0;
        try
        {
            return Free(last);
        }
        catch (SocketException)
        {
            return Free(0);
        }
    }

    private static int Free(int wanted)
    {
        using var probe = new TcpListener(IPAddress.Loopback, wanted);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
