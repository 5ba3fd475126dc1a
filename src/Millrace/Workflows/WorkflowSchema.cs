using System.Reflection;

namespace Millrace.Workflows;

/// <summary>The JSON Schema (draft 2020-12) of definitions, for editors and other tools.</summary>
public static class WorkflowSchema
{
    /// <summary>The schema, UTF-8.</summary>
    public static byte[] Utf8 { get; } = Load();

    private static byte[] Load()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("workflow.schema.json")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
