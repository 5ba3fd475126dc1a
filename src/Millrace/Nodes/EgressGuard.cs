using System.Net;
using System.Net.Sockets;

namespace Millrace.Nodes;

/// <summary>A request would have gone to an address that is not allowed.</summary>
/// <param name="host">The host that was asked for.</param>
internal sealed class EgressRefusedException(string host)
    : Exception($"{host} is a private or reserved address; set Millrace:Http:AllowPrivateNetworks to allow such ones");

/// <summary>
/// Connects only where workflows may go. The check stands between the name's resolution and the connection, on the very
/// addresses that are connected to, so that neither a redirect nor a name that changes its address gets around it.
/// The ranges are those of IANA's special-purpose registries (RFC 6890) that are not globally reachable.
/// </summary>
internal sealed class EgressGuard(bool allowPrivateNetworks)
{
    private static readonly IPNetwork[] Closed =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/4", "240.0.0.0/4",
            "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
            "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(IPNetwork.Parse),
    ];

    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = await Dns.GetHostAddressesAsync(host, cancel);
        var allowed = allowPrivateNetworks ? addresses : [.. addresses.Where(IsPublic)];
        if (allowed.Length == 0)
            throw addresses.Length == 0 ? new SocketException((int)SocketError.HostNotFound) : new EgressRefusedException(host);

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether an address is globally reachable. An IPv4 address inside an IPv6 one counts as itself.</summary>
    internal static bool IsPublic(IPAddress address)
    {
        address = Embedded(address) ?? address;
        return !Array.Exists(Closed, network => network.Contains(address));
    }

    // Mapped and compatible addresses, NAT64 (64:ff9b::/96) and 6to4 (2002::/16) all lead to an IPv4 address.
    private static IPAddress? Embedded(IPAddress address)
    {
        if (address.AddressFamily is not AddressFamily.InterNetworkV6)
            return null;
        var bytes = address.GetAddressBytes();
        if (address.IsIPv4MappedToIPv6 || bytes.AsSpan(0, 12).SequenceEqual<byte>([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]))
            return new(bytes.AsSpan(12));
        if (bytes[0] is 0x20 && bytes[1] is 0x02)
            return new(bytes.AsSpan(2, 4));
        var compatible = bytes.AsSpan(0, 12).IndexOfAnyExcept((byte)0) < 0 && bytes.AsSpan(12, 3).IndexOfAnyExcept((byte)0) >= 0;
        return compatible ? new(bytes.AsSpan(12)) : null;
    }
}
