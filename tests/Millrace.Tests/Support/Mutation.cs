using System.Text;

namespace Millrace.Tests.Support;

/// <summary>Documents that are nearly right: a right one with a few random changes to its text or its tokens.</summary>
internal static class Mutation
{
    private static readonly string[] Seeds =
    [
        """{"name":"a","do":[{"sql":"select {{ input.a }} as x","as":"x"},{"if":{"all":[{"rows":"x"},{"not":{"equals":["{{ x.x }}",1]}}]},"then":[{"return":{"a":["{{ x.rows[0].x }}","t {{ x }}"]}}],"else":[{"fail":"no {{ x.x? }}"}]}]}""",
        """{"do":[{"http":{"url":"https://example.com/{{ input.a }}","method":"GET","headers":{"X-A":"{{ input.b }}"},"body":{"a":1},"expect":{"status":[200],"bodyContains":"ok"}},"retry":{"attempts":2,"backoff":"1s","factor":2,"maxBackoff":"5s","jitter":false},"timeout":"5s","as":"r"}]}""",
        """{"do":[{"sleep":"250ms","id":"nap"},{"set":{"a":{"b":[1,2,{"c":"{{ input }}"}]},"d":null}},{"if":"{{ a.b }}","then":[{"sql":{"query":"select 1","readOnly":true,"timeout":"1s","connection":"default"}}]}]}""",
        """{"do":[{"if":{"any":[{"sql":"select true"},{"greaterThan":["{{ input.n }}",2]},{"contains":["abc","b"]}]},"then":[{"sleep":"PT1S"}]}],"description":"d"}""",
    ];

    private static readonly string[] Pieces =
    [
        "{", "}", "[", "]", "\"", ",", ":", "null", "true", "1", "-1", "1e999", "0.0000001", "99999999999999999999", "\"\"", "{}", "[]", "{{", "}}", "{{ a }}",
        "\\u0000", "\\ud800", "\\udc00", "\\", "\u00e9", "\U0001F600", "\"do\":", "\"sql\":", "\"if\":", "\"then\":", "\"as\":", "\"x\":1,", "$1", "'", "--", "/*", "$$",
        "select", "\n", " ", "[0]", "[99999999999]", "?", ".", "\"retry\":{},", "\"input\"", "\"timeout\":\"1s\",",
    ];

    public static (string Definition, string Input) Of(Random random)
    {
        var text = new StringBuilder(Seeds[random.Next(Seeds.Length)]);
        for (var changes = random.Next(1, 6); changes > 0; changes--)
            Change(text, random);
        return (text.ToString(), random.Next(4) == 0 ? Pieces[random.Next(Pieces.Length)] : """{"a":1,"b":"x","n":3}""");
    }

    private static void Change(StringBuilder text, Random random)
    {
        var at = random.Next(text.Length + 1);
        switch (random.Next(6))
        {
            case 0:
                text.Insert(at, Pieces[random.Next(Pieces.Length)]);
                break;
            case 1:
                text.Remove(at, Math.Min(random.Next(1, 20), text.Length - at));
                break;
            case 2:
                text.Insert(at, text.ToString(0, Math.Min(random.Next(200), text.Length)));
                break;
            case 3 when at < text.Length:
                text[at] = (char)random.Next(1, 0x300);
                break;
            case 4:
                text.Insert(at, new string('[', random.Next(1, 1500)));
                break;
            default:
                // A value for another one: the document stays well-formed more often than not.
                var value = text.ToString().IndexOf("\":", Math.Min(at, text.Length - 1), StringComparison.Ordinal);
                if (value >= 0)
                    text.Insert(value + 2, $"{Pieces[random.Next(7, 16)]},\"y\":");
                break;
        }

        if (text.Length == 0)
            text.Append('0');
    }
}
