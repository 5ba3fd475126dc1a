using System.Net;
using Millrace.Nodes;

namespace Millrace.Tests.Nodes;

public sealed class EgressGuardTests
{
    // What IANA's registries of special-purpose addresses call not globally reachable, first and last of a range, with
    // its neighbours outside.
    [Theory]
    [InlineData("93.184.216.34", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("0.255.255.255", false)]
    [InlineData("1.0.0.0", true)]
    [InlineData("9.255.255.255", true)]
    [InlineData("10.0.0.0", false)]
    [InlineData("10.255.255.255", false)]
    [InlineData("11.0.0.0", true)]
    [InlineData("100.63.255.255", true)]
    [InlineData("100.64.0.0", false)]
    [InlineData("100.127.255.255", false)]
    [InlineData("100.128.0.0", true)]
    [InlineData("127.0.0.2", false)]
    [InlineData("169.253.255.255", true)]
    [InlineData("169.254.0.0", false)]
    [InlineData("169.255.0.0", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("172.16.0.0", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.0.0.8", false)]
    [InlineData("192.0.1.0", true)]
    [InlineData("192.0.2.1", false)]
    [InlineData("192.88.99.1", false)]
    [InlineData("192.168.0.1", false)]
    [InlineData("192.169.0.0", true)]
    [InlineData("198.17.255.255", true)]
    [InlineData("198.18.0.0", false)]
    [InlineData("198.19.255.255", false)]
    [InlineData("198.20.0.0", true)]
    [InlineData("198.51.100.7", false)]
    [InlineData("203.0.113.7", false)]
    [InlineData("223.255.255.255", true)]
    [InlineData("224.0.0.1", false)]
    [InlineData("239.255.255.255", false)]
    [InlineData("240.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("2a00:1450:4001::1", true)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("100::1", false)]
    [InlineData("100:0:0:1::1", false)]
    [InlineData("1fff::1", false)]
    [InlineData("2001:1ff::1", false)]
    [InlineData("2001:200::1", true)]
    [InlineData("2001:db8::1", false)]
    [InlineData("3fff::1", false)]
    [InlineData("3fff:1000::1", true)]
    [InlineData("4000::1", false)]
    [InlineData("5f00::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fec0::1", false)]
    [InlineData("feff::1", false)]
    [InlineData("ff02::1", false)]
    public void Only_globally_reachable_addresses_are_public(string address, bool isPublic) => Check(address, isPublic);

    [Theory]
    [InlineData("169.254.169.254")] // Amazon, Azure, Google, DigitalOcean, OpenStack
    [InlineData("169.254.170.2")] // Amazon's credentials of containers
    [InlineData("169.254.0.23")] // Tencent
    [InlineData("fd00:ec2::254")] // Amazon
    [InlineData("fd20:ce::254")] // Google
    [InlineData("168.63.129.16")] // Azure's wire server
    [InlineData("::ffff:168.63.129.16")]
    [InlineData("64:ff9b::168.63.129.16")]
    [InlineData("100.100.100.200")] // Alibaba
    [InlineData("192.0.0.192")] // Oracle
    public void What_clouds_tell_only_their_machines_is_closed(string address) => Check(address, isPublic: false);

    [Theory]
    [InlineData("::ffff:10.0.0.1", false)] // mapped
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("::ffff:0:10.0.0.1", false)] // translated (RFC 2765)
    [InlineData("::ffff:0:8.8.8.8", false)]
    [InlineData("::127.0.0.1", false)] // compatible
    [InlineData("::8.8.8.8", false)]
    [InlineData("64:ff9b::7f00:1", false)] // NAT64
    [InlineData("64:ff9b::808:808", true)]
    [InlineData("64:ff9b:1::808:808", false)] // NAT64 within one network
    [InlineData("2002:7f00:1::", false)] // 6to4
    [InlineData("2002:a9fe:a9fe::1", false)]
    [InlineData("2002:808:808::", true)]
    [InlineData("2001:0:808:808::1", false)] // Teredo
    [InlineData("2606:4700::5efe:10.0.0.1", false)] // ISATAP
    [InlineData("2606:4700::200:5efe:127.0.0.1", false)]
    [InlineData("2606:4700::200:5efe:8.8.8.8", true)]
    [InlineData("fe80::1%1", false)] // with a zone
    [InlineData("2606:4700::1111%1", false)]
    public void An_address_of_IPv4_inside_one_of_IPv6_counts_as_itself(string address, bool isPublic) => Check(address, isPublic);

    private static void Check(string address, bool isPublic) => Assert.Equal(isPublic, EgressGuard.IsPublic(IPAddress.Parse(address)));
}
