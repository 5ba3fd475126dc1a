using System.Text.Json;
using Millrace.Values;

namespace Millrace.Tests.Values;

public sealed class JsonEqualityTests
{
    [Theory]
    [InlineData("""{"a":[1,{"b":null}],"c":"x"}""", """{ "c" : "\u0078", "a" : [ 1.0, { "b" : null } ] }""", true)]
    [InlineData("""{"a":1}""", """{"a":1,"b":1}""", false)]
    [InlineData("""{"a":1,"b":1}""", """{"a":1,"c":1}""", false)]
    [InlineData("[1,2]", "[2,1]", false)]
    [InlineData("[1,2]", "[1,2,3]", false)]
    [InlineData("[[1],[2]]", "[[1],[3]]", false)]
    [InlineData("[[]]", "[{}]", false)]
    [InlineData("\"1\"", "1", false)]
    [InlineData("true", "false", false)]
    [InlineData("\"a\\\\u0078\"", "\"ax\"", false)]
    [InlineData("""{"a":1,"a":2}""", """{"a":2}""", true)]
    public void Values_are_the_same_whatever_their_spelling(string left, string right, bool same)
    {
        Assert.Equal(same, JsonEquality.AreEqual(JsonElement.Parse(left), JsonElement.Parse(right)));
        Assert.Equal(same, JsonEquality.AreEqual(JsonElement.Parse(right), JsonElement.Parse(left)));
    }

    [Fact]
    public void However_deep_they_nest_they_can_be_compared()
    {
        static Json Deep(string inside) => Json.FromText($"{new string('[', 10_000)}{inside}{new string(']', 10_000)}");
        Assert.Equal(Deep("1"), Deep("1.0"));
        Assert.NotEqual(Deep("1"), Deep("2"));
    }
}
