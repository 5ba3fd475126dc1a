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
/// The ranges are those of IANA's special-purpose registries (RFC 6890) that are not globally reachable, and those where
/// clouds keep what only their machines should see.
/// </summary>
internal sealed class EgressGuard(bool allowPrivateNetworks)
{
    // Azure's wire server, which hands out a machine's configuration, has a public address that is routed nowhere else.
    // The other clouds' metadata are inside the reserved ranges: 169.254.0.0/16, 100.64.0.0/10, 192.0.0.0/24, fc00::/7.
    private static readonly IPNetwork[] Closed =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
            "2001::/23", "2001:db8::/32", "3fff::/20",
        }.Select(IPNetwork.Parse),
    ];

    // All that has been given out as global unicast. Whatever is outside is local, reserved, or a way of writing an
    // address of IPv4: a list of what is closed there would miss the next one.
    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

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
        if (address.AddressFamily is AddressFamily.InterNetworkV6)
        {
            // A zone belongs to an address that means something on one link only.
            if (address.ScopeId != 0)
                return false;
            if (Written(address) is { } written)
                return IsPublic(written);
            if (!GlobalUnicast.Contains(address) || (Tunnelled(address) is { } inner && !IsPublic(inner)))
                return false;
        }

        return !Array.Exists(Closed, network => network.Contains(address));
    }

    // Mapped addresses and those of NAT64 (64:ff9b::/96, RFC 6052) are another way of writing an IPv4 address.
    private static IPAddress? Written(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        return address.IsIPv4MappedToIPv6 || bytes.AsSpan(0, 12).SequenceEqual<byte>([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])
            ? new(bytes.AsSpan(12))
            : null;
    }

    // 6to4 (2002::/16, RFC 3056) and ISATAP (…:0:5efe:a.b.c.d and …:200:5efe:a.b.c.d, RFC 5214) lead through a tunnel to
    // the IPv4 address inside. Teredo's (2001::/32) is hidden, and closed with all of 2001::/23.
    private static IPAddress? Tunnelled(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        if (bytes[0] is 0x20 && bytes[1] is 0x02)
            return new(bytes.AsSpan(2, 4));
        return bytes[8] is 0 or 2 && bytes.AsSpan(9, 3).SequenceEqual<byte>([0, 0x5e, 0xfe]) ? new(bytes.AsSpan(12)) : null;
    }
}
