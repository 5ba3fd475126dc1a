using Millrace.Store;

namespace Millrace.Tests.Support;

/// <summary>Another organisation in the same store.</summary>
internal static class Strangers
{
    /// <summary>Makes it, with a key.</summary>
    public static async Task<string> KeyAsync(string connectionString)
    {
        var key = KeyStore.NewKey();
        var organisation = InstanceId.New(0);
        await TestCluster.ExecuteAsync(connectionString, $"""
            INSERT INTO millrace.organisation (bucket, organisation_id, name) VALUES (0, '{organisation}', 'other');
            INSERT INTO millrace.api_key (bucket, hash, organisation_id, name)
            VALUES (0, '\x{Convert.ToHexString(KeyStore.HashOf(key))}', '{organisation}', 'other')
            """);
        return key;
    }
}
