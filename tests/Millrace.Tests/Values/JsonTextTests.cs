using System.Text;
using Millrace.Values;

namespace Millrace.Tests.Values;

public sealed class JsonTextTests
{
    [Theory]
    [InlineData("""{"a":["\ud83d\ude00","\\u0000","\\\\ud800"],"b":1e999,"a":2}""", null)]
    [InlineData("""{"a":[1,"x\u0000"]}""", "/a/1 contains the character U+0000")]
    [InlineData("""{"rows":[{"n":1},{"n":2,"j":{"k":"\ud800"}}]}""", "/rows/1/j/k contains half of a surrogate pair")]
    [InlineData("""["\udc00"]""", "/0 contains half")]
    [InlineData("""["\ud800\ud800"]""", "/0 contains half")]
    [InlineData("\"\\ud800x\"", "its top contains half")]
    [InlineData("""{"a":{"b":1,"\u0000":2}}""", "/a contains the character U+0000")]
    [InlineData("[1,", "is not JSON")]
    [InlineData("nonsense", "is not JSON")]
    public void What_cannot_be_kept_is_told_with_its_place(string text, string? fault)
    {
        var found = JsonDoor.Refusal(Json.FromText(text));
        if (fault is null)
            Assert.Null(found);
        else
            Assert.Contains(fault, found, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_no_text_cannot_be_kept() =>
        Assert.Contains("UTF-8", JsonDoor.Refusal(Json.FromUtf8("\"\xff\""u8.ToArray().Select(b => b == 0xc3 ? (byte)0xff : b).ToArray())), StringComparison.Ordinal);

    [Fact]
    public void A_value_nests_a_thousand_levels_and_no_more()
    {
        static string Deep(int levels) => $$"""{"rows":[{"text":"[[[{{new string('[', 3000)}}","deep":{{new string('[', levels - 3)}}{{new string(']', levels - 3)}}}]}""";
        Assert.Null(JsonDoor.Refusal(Json.FromText(Deep(Json.MaxDepth))));
        Assert.False(JsonText.NestsDeeper(Encoding.UTF8.GetBytes(Deep(Json.MaxDepth)), Json.MaxDepth));

        Assert.StartsWith("the JSON nests deeper than 1000 levels, at /rows/0/deep/0/0/", JsonDoor.Refusal(Json.FromText(Deep(Json.MaxDepth + 1))), StringComparison.Ordinal);
        Assert.True(JsonText.NestsDeeper(Encoding.UTF8.GetBytes(Deep(Json.MaxDepth + 1)), Json.MaxDepth));
    }
}
