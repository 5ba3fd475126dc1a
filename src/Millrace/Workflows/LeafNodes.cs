using System.Collections.Immutable;

namespace Millrace.Workflows;

/// <summary>Runs one statement on a database; its result is <c>{"rows":[…],"row_count":n}</c>.</summary>
/// <param name="Query">The statement; templates are bind parameters.</param>
/// <param name="Connection">The name of the connection; null means the default one.</param>
/// <param name="ReadOnly">Whether it runs in a read-only transaction.</param>
public sealed record SqlNode(SqlTemplate Query, string? Connection, bool ReadOnly) : Node
{
    /// <inheritdoc/>
    public override string Kind => "sql";

    internal override IEnumerable<string> Reads => Query.Parameters.Select(path => path.Root);
}

/// <summary>Sends an HTTP request; its result is the response's envelope.</summary>
/// <param name="Url">The address.</param>
/// <param name="Method">The method, in capitals.</param>
/// <param name="Headers">Header names and values.</param>
/// <param name="Body">The body: a JSON string is sent as text, anything else as JSON; null sends none.</param>
/// <param name="Parts">The parts of a <c>multipart/form-data</c> body (RFC 7578); empty where the body is not one.</param>
/// <param name="Expect">What the response must be like; null accepts every status below 500.</param>
public sealed record HttpNode(
    TextTemplate Url, string Method, ImmutableArray<HttpHeader> Headers, ValueTemplate? Body, ImmutableArray<HttpPart> Parts,
    HttpExpectation? Expect) : Node
{
    /// <summary>How many redirects are followed where the node does not say.</summary>
    public const int DefaultRedirects = 5;

    /// <summary>How many redirects are followed; with 0 the redirect itself is the result.</summary>
    public int Redirects { get; init; } = DefaultRedirects;

    /// <inheritdoc/>
    public override string Kind => "http";

    internal override IEnumerable<string> Reads =>
        [.. Url.Roots, .. Headers.SelectMany(header => header.Value.Roots), .. Body?.Roots ?? [], .. Parts.SelectMany(part => part.Reads), .. Expect?.BodyContains?.Roots ?? []];
}

/// <summary>One header of a request.</summary>
/// <param name="Name">A token as RFC 9110 has it.</param>
/// <param name="Value">Its value.</param>
public sealed record HttpHeader(string Name, TextTemplate Value);

/// <summary>One part of a multipart body.</summary>
/// <param name="Name">The field's name.</param>
/// <param name="Content">What it holds: a JSON string is sent as text, anything else as JSON.</param>
/// <param name="FileName">The file's name; null for a plain field.</param>
/// <param name="ContentType">Its media type; null for the content's own.</param>
/// <param name="IsBase64">Whether the content is base64 of the bytes to send.</param>
public sealed record HttpPart(TextTemplate Name, ValueTemplate Content, TextTemplate? FileName, string? ContentType, bool IsBase64)
{
    internal IEnumerable<string> Reads => [.. Name.Roots, .. Content.Roots, .. FileName?.Roots ?? []];
}

/// <summary>What a response must be like; anything else fails the attempt.</summary>
/// <param name="Statuses">The statuses that are right; empty for every one below 500.</param>
/// <param name="BodyContains">Text that the body must contain; null for any body.</param>
public sealed record HttpExpectation(ImmutableArray<int> Statuses, TextTemplate? BodyContains);

/// <summary>Waits; its result is <c>{"slept":true,"seconds":n}</c>.</summary>
/// <param name="Duration">How long: a text that is a duration once its templates are filled in.</param>
public sealed record SleepNode(TextTemplate Duration) : Node
{
    /// <inheritdoc/>
    public override string Kind => "sleep";

    internal override IEnumerable<string> Reads => Duration.Roots;
}

/// <summary>Binds values to names; its result is the object of them.</summary>
/// <param name="Values">The names and values, in order.</param>
public sealed record SetNode(ObjectValue Values) : Node
{
    /// <inheritdoc/>
    public override string Kind => "set";

    internal override IEnumerable<string> Reads => Values.Roots;
}

/// <summary>Ends the instance with a result.</summary>
/// <param name="Value">The result.</param>
public sealed record ReturnNode(ValueTemplate Value) : Node
{
    /// <inheritdoc/>
    public override string Kind => "return";

    internal override IEnumerable<string> Reads => Value.Roots;
}

/// <summary>Ends the instance with a failure.</summary>
/// <param name="Message">Why.</param>
public sealed record FailNode(TextTemplate Message) : Node
{
    /// <inheritdoc/>
    public override string Kind => "fail";

    internal override IEnumerable<string> Reads => Message.Roots;
}

/// <summary>Waits for a time of a calendar; its result is <c>{"scheduled":true,"at":…}</c>.</summary>
/// <param name="Schedule">When.</param>
public sealed record WaitForScheduleNode(CronSchedule Schedule) : Node
{
    /// <inheritdoc/>
    public override string Kind => "waitForSchedule";
}

/// <summary>
/// Waits for a signal; its result is <c>{"signal_name","timed_out","data"}</c>. A time-out is a result, not a failure.
/// </summary>
/// <param name="Name">The signal's name.</param>
public sealed record WaitForSignalNode(TextTemplate Name) : Node
{
    /// <inheritdoc/>
    public override string Kind => "waitForSignal";

    internal override IEnumerable<string> Reads => Name.Roots;
}

/// <summary>Ends the nearest loop around it, with a result.</summary>
/// <param name="Value">The loop's result.</param>
public sealed record BreakNode(ValueTemplate Value) : Node
{
    /// <inheritdoc/>
    public override string Kind => "break";

    internal override IEnumerable<string> Reads => Value.Roots;
}

/// <summary>Starts another workflow; its result is that instance's result, or <c>{"id":…}</c> where it is not waited for.</summary>
/// <param name="Workflow">The workflow's name; its newest version is started.</param>
/// <param name="Input">The input; null for none.</param>
/// <param name="Wait">Whether to wait for its end.</param>
public sealed record RunNode(string Workflow, ValueTemplate? Input, bool Wait) : Node
{
    /// <inheritdoc/>
    public override string Kind => "run";

    internal override IEnumerable<string> Reads => Input?.Roots ?? [];
}

/// <summary>Calls a handler that the host has registered; its result is what the handler returns.</summary>
/// <param name="Handler">The handler's name.</param>
/// <param name="With">Its input; null for none.</param>
public sealed record CallNode(string Handler, ValueTemplate? With) : Node
{
    /// <inheritdoc/>
    public override string Kind => "call";

    internal override IEnumerable<string> Reads => With?.Roots ?? [];
}
