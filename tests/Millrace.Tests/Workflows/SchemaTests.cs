using System.Text.Json;
using Millrace.Configuration;
using Millrace.Tests.Support;
using Millrace.Workflows;

namespace Millrace.Tests.Workflows;

/// <summary>The published schema and the reader say the same of a definition's structure.</summary>
public sealed class SchemaTests
{
    private readonly JsonSchema schema = new(JsonElement.Parse(WorkflowSchema.Utf8));

    [Fact]
    public void Every_sample_is_right_by_both()
    {
        var samples = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "samples"), "*.json");
        Assert.NotEmpty(samples);
        foreach (var sample in samples)
        {
            var definition = JsonElement.Parse(File.ReadAllText(sample));
            Assert.True(schema.Accepts(definition), sample);
            Assert.True(WorkflowReader.TryRead(definition, new LimitOptions(), out _, out var faults), $"{sample}: {string.Join(", ", faults)}");
        }
    }

    [Fact]
    public void Schema_and_reader_agree_on_random_definitions()
    {
        var seed = Seeds.First;
        var random = new Random(seed);
        var (right, wrong) = (0, 0);
        for (var i = 0; i < 20_000; i++)
        {
            var text = new RandomDefinition(random, faults: i % 2 == 0 ? 0 : 0.04).Make().ToJsonString();
            var definition = JsonElement.Parse(text);
            var read = WorkflowReader.TryRead(definition, new LimitOptions(), out _, out var faults);
            Assert.True(read == schema.Accepts(definition), $"seed {seed}: the reader {(read ? "accepts" : $"refuses ({string.Join(", ", faults)})")} {text}");
            _ = read ? right++ : wrong++;
        }

        // A generator that makes only one sort would prove nothing.
        Assert.True(right > 5_000 && wrong > 2_000, $"{right} right, {wrong} wrong");
    }
}
