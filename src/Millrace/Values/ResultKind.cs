namespace Millrace.Values;

/// <summary>What a result is: it comes from the node that made it, never from its looks.</summary>
internal enum ResultKind
{
    /// <summary>A value like any other.</summary>
    Value,

    /// <summary>The result of a statement, of which templates read the first row's columns.</summary>
    Rows,

    /// <summary>The response to a request, into whose body templates look.</summary>
    Response,
}
