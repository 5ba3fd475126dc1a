using System.Globalization;
using System.Text.Json;
using Millrace.Execution;
using Millrace.Workflows;

namespace Millrace.Tests.Support;

/// <summary>What an instance came to, by <see cref="NaiveInterpreter"/>.</summary>
/// <param name="Status">How it ended; null where it waits for ever.</param>
/// <param name="Result">Its result.</param>
/// <param name="Error">Path and kind of the node that failed.</param>
/// <param name="Begun">What was executed outside, and when.</param>
internal sealed record Interpretation(InstanceStatus? Status, string? Result, string? Error, List<(long At, string Key)> Begun);

/// <summary>
/// What a definition means, as plainly as it can be said: recursion over the JSON, with the language's own exceptions,
/// tasks and cancellation for failures, branches and whatever is given up. It keeps no state that could be saved. It knows
/// the forms that <c>RandomGraph</c> makes, and is the oracle for the machine.
/// </summary>
/// <param name="results">How an execution ends.</param>
/// <param name="durations">How long it takes, or, for the key with "cancelled" behind it, children that are cancelled.</param>
internal sealed class NaiveInterpreter(Func<string, string, NodeEvent> results, Func<string, TimeSpan> durations)
{
    private readonly VirtualTime time = new();
    private readonly List<(long, string)> begun = [];
    private readonly List<(string Name, string Data)> mailbox = [];
    private readonly List<(string Place, string Name, TaskCompletionSource<string> Received)> waiters = [];
    private readonly Stack<(JsonElement Nodes, string Path, int Iteration, Names Names)> compensations = new();
    private readonly List<Task> lingering = [];

    public Interpretation Run(string definition, IReadOnlyList<(TimeSpan At, string Name, string Data)> signals, TimeSpan? cancelAt)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            using var stop = new CancellationTokenSource();
            foreach (var (at, name, data) in signals)
                _ = ArriveAsync(Micros(at), () => Deliver(name, data));
            if (cancelAt is { } cancel)
                _ = ArriveAsync(Micros(cancel), stop.Cancel);
            var end = EndAsync(JsonElement.Parse(definition).GetProperty("do"), stop.Token);
            try
            {
                time.Run(end);
            }
            catch (InvalidOperationException)
            {
                return new(null, null, null, begun);
            }

            var (status, result, error) = end.GetAwaiter().GetResult();
            return new(status, result, error, begun);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private async Task ArriveAsync(long at, Action arrive)
    {
        await time.WaitUntilAsync(at, "1", CancellationToken.None).ConfigureAwait(false);
        arrive();
    }

    private async Task<(InstanceStatus, string?, string?)> EndAsync(JsonElement nodes, CancellationToken stop)
    {
        InstanceStatus status;
        string? error = null;
        try
        {
            return (InstanceStatus.Completed, (await SequenceAsync(nodes, "/do", 0, "2", new(null), stop).ConfigureAwait(false)).Text, null);
        }
        catch (ReturnException e)
        {
            return (InstanceStatus.Completed, e.Value.Text, null);
        }
        catch (FailException e)
        {
            (status, error) = (InstanceStatus.Failed, e.Where);
        }
        catch (OperationCanceledException)
        {
            status = InstanceStatus.Cancelled;
        }

        // What may still happen comes to its end before anything is undone.
        await Task.WhenAll(lingering).ConfigureAwait(false);
        while (compensations.TryPop(out var undo))
        {
            try
            {
                await SequenceAsync(undo.Nodes, $"{undo.Path}/compensate", undo.Iteration, "2", new(undo.Names), CancellationToken.None).ConfigureAwait(false);
            }
            catch (FailException)
            {
                // The others are undone all the same.
            }
        }

        return (status, null, error);
    }

    private async Task<Value> SequenceAsync(JsonElement nodes, string path, int iteration, string place, Names names, CancellationToken stop)
    {
        Value last = "null";
        var index = 0;
        foreach (var node in nodes.EnumerateArray())
            last = await NodeAsync(node, $"{path}/{index++}", iteration, place, names, stop).ConfigureAwait(false);
        return last;
    }

    private async Task<Value> NodeAsync(JsonElement node, string path, int iteration, string place, Names names, CancellationToken stop)
    {
        var retry = node.TryGetProperty("retry", out var given) ? given : default;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var result = await LimitedAsync(node, path, iteration, attempt, place, names, stop).ConfigureAwait(false);
                Complete(node, path, iteration, names, result);
                return result;
            }
            catch (FailException e) when (e.Retryable && retry.ValueKind is JsonValueKind.Object && attempt < retry.GetProperty("attempts").GetInt32())
            {
                var pause = Micros(retry.GetProperty("backoff").GetString()!) * (1L << (attempt - 1));
                await time.WaitUntilAsync(time.Now + pause, place, stop).ConfigureAwait(false);
            }
            catch (UnanswerableException)
            {
                throw new FailException($"{path} {KindOf(node)}", retryable: false);
            }
        }
    }

    private void Complete(JsonElement node, string path, int iteration, Names names, Value result)
    {
        if (node.TryGetProperty("as", out var name))
            names.Own[name.GetString()!] = result;
        if (node.TryGetProperty("compensate", out var compensate))
            compensations.Push((compensate, path, iteration, names.Flat()));
    }

    // Whoever executes statements, requests and calls minds their time; a signal's time-out is a result.
    private async Task<Value> LimitedAsync(JsonElement node, string path, int iteration, int attempt, string place, Names names, CancellationToken stop)
    {
        var kind = KindOf(node);
        if (!node.TryGetProperty("timeout", out var timeout) || kind is "sql" or "http" or "call" or "waitForSignal" || (IsOutside(node, kind) && node.TryGetProperty("compensate", out _)))
            return await AttemptAsync(node, kind, path, iteration, attempt, place, names, stop).ConfigureAwait(false);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _ = LimitAsync(time.Now + Micros(timeout.GetString()!), place, limit, over.Token);
        try
        {
            return await AttemptAsync(node, kind, path, iteration, attempt, place + "/", names, limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new FailException($"{path} {kind}", retryable: true);
        }
        finally
        {
            over.Cancel();
        }
    }

    private async Task LimitAsync(long at, string place, CancellationTokenSource limit, CancellationToken over)
    {
        try
        {
            await time.WaitUntilAsync(at, place, over).ConfigureAwait(false);
            limit.Cancel();
        }
        catch (OperationCanceledException)
        {
            // It ended in time.
        }
    }

    private async Task<Value> AttemptAsync(
        JsonElement node, string kind, string path, int iteration, int attempt, string place, Names names, CancellationToken stop)
    {
        var inner = attempt == 1 ? path : $"{path}@{attempt}";
        switch (kind)
        {
            case "forEach" when node.GetProperty("forEach").GetArrayLength() == 0:
                return "[]";
            case var outside when IsOutside(node, outside):
                return node.TryGetProperty("compensate", out _)
                    ? await ExecuteUndoableAsync(node, path, kind, iteration, attempt, place, names, stop).ConfigureAwait(false)
                    : await ExecuteAsync(path, kind, iteration, attempt, stop).ConfigureAwait(false);
            case "sleep":
                if (Fill(node.GetProperty("sleep"), names).Text is not ['"', .. var text, '"'])
                    throw new FailException($"{path} sleep", retryable: false);
                var duration = Micros(text);
                await time.WaitUntilAsync(time.Now + duration, place, stop).ConfigureAwait(false);
                return $$"""{"slept":true,"seconds":{{(duration / 1_000_000m).ToString("0.######", CultureInfo.InvariantCulture)}}}""";
            case "waitForSchedule":
                var at = CronSchedule.Parse(node.GetProperty(kind).GetString()!, TimeZoneInfo.Utc, out _)!.Next(VirtualTime.Epoch.AddMicroseconds(time.Now));
                await time.WaitUntilAsync(Micros(at - VirtualTime.Epoch), place, stop).ConfigureAwait(false);
                return $$"""{"scheduled":true,"at":"{{at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}}"}""";
            case "waitForSignal":
                return await WaitForSignalAsync(node, place, stop).ConfigureAwait(false);
            case "set":
                var values = node.GetProperty(kind).EnumerateObject().ToDictionary(member => member.Name, member => Fill(member.Value, names));
                foreach (var (name, value) in values)
                    names.Own[name] = value;
                return $"{{{string.Join(',', values.Select(value => $"\"{value.Key}\":{value.Value.Text}"))}}}";
            case "return":
                throw new ReturnException(Fill(node.GetProperty(kind), names));
            case "break":
                throw new BreakException(Fill(node.GetProperty(kind), names));
            case "fail":
                throw new FailException($"{path} fail", retryable: false);
            case "if":
                var taken = await HoldsAsync(node.GetProperty("if"), $"{inner}/if", iteration, names, stop).ConfigureAwait(false) ? "then" : "else";
                return node.TryGetProperty(taken, out var nodes)
                    ? await SequenceAsync(nodes, $"{inner}/{taken}", iteration, place, names, stop).ConfigureAwait(false)
                    : "null";
            case "join" or "race":
                return await BranchesAsync(node.GetProperty(kind), $"{inner}/{kind}", kind is "race", iteration, place, names, stop).ConfigureAwait(false);
            case "loop":
                return await LoopAsync(node, path + (iteration > 0 ? $"#{iteration}" : "") + (attempt > 1 ? $"@{attempt}" : ""), place, names, stop).ConfigureAwait(false);
            case "forEach":
                return await ItemsAsync(node, inner, iteration, place, names, stop).ConfigureAwait(false);
            case "try":
                return await TryAsync(node, inner, iteration, place, names, stop).ConfigureAwait(false);
            default:
                throw new InvalidOperationException(kind);
        }
    }

    /// <summary>How an execution is called here.</summary>
    public static string TextOf(string path, int iteration, int attempt) => $"{path}#{iteration}#{attempt}";

    private async Task<Value> ExecuteAsync(string path, string kind, int iteration, int attempt, CancellationToken stop)
    {
        var key = TextOf(path, iteration, attempt);
        var (start, decision) = (time.Now, time.Decision);
        begun.Add((start, key));
        try
        {
            await time.WaitUntilAsync(start + Micros(durations(key)), "0", stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (time.Decision == decision)
        {
            // Given up in the moment in which it would have begun.
            begun.Remove((start, key));
            throw;
        }

        var end = results(key, kind);
        return end.Failure is { } failure ? throw new FailException($"{path} {kind}", failure.Retryable)
            : ResultOf(kind, end.Result!.ToString());
    }

    // What can be undone is not stopped when it is given up: nobody waits for it, but should it complete, it is to be
    // undone like everything that has. Children are told to end; those over their own time are still waited for.
    private async Task<Value> ExecuteUndoableAsync(
        JsonElement node, string path, string kind, int iteration, int attempt, string place, Names names, CancellationToken stop)
    {
        var key = TextOf(path, iteration, attempt);
        var decision = time.Decision;
        begun.Add((time.Now, key));
        using var unwanted = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var over = new CancellationTokenSource();
        var hasChildren = kind is "forEach" || (kind is "run" && !IsDetached(node));
        var outside = OutsideAsync(key, kind, hasChildren ? unwanted.Token : CancellationToken.None);
        var isLate = false;
        if (kind is "run" or "forEach" && node.TryGetProperty("timeout", out var timeout))
            _ = LateAsync(time.Now + Micros(timeout.GetString()!));

        async Task LateAsync(long at)
        {
            await time.WaitUntilAsync(at, place, over.Token).ConfigureAwait(false);
            isLate = true;
            unwanted.Cancel();
        }

        var given = new TaskCompletionSource();
        await using var registration = stop.Register(given.SetResult).ConfigureAwait(false);
        await Task.WhenAny(outside, given.Task).ConfigureAwait(false);
        over.Cancel();
        if (outside.IsCompleted)
        {
            var end = await outside.ConfigureAwait(false);
            return end.Failure is { } failure ? throw new FailException($"{path} {kind}", isLate || failure.Retryable) : ResultOf(kind, end.Result!.ToString());
        }

        unwanted.Cancel();
        if (time.Decision == decision)
            begun.Remove((time.Now, key));
        else
            lingering.Add(LingerAsync(node, path, kind, iteration, names.Flat(), outside));
        throw new OperationCanceledException(stop);
    }

    private async Task LingerAsync(JsonElement node, string path, string kind, int iteration, Names names, Task<NodeEvent> outside)
    {
        if ((await outside.ConfigureAwait(false)).Result is { } result)
            Complete(node, path, iteration, names, ResultOf(kind, result.ToString()));
    }

    private async Task<NodeEvent> OutsideAsync(string key, string kind, CancellationToken cancelChildren)
    {
        var end = time.Now + Micros(durations(key));
        try
        {
            await time.WaitUntilAsync(end, "0", cancelChildren).ConfigureAwait(false);
            return results(key, kind);
        }
        catch (OperationCanceledException)
        {
            var cancelled = time.Now + Micros(durations($"{key} cancelled"));
            // Of several at the same time those that were told to end come last; the order in which they were told says nothing.
            await time.WaitUntilAsync(Math.Min(end, cancelled), $"0 {key}", CancellationToken.None).ConfigureAwait(false);
            return cancelled < end ? NodeEvent.Fails("cancelled") : results(key, kind);
        }
    }

    private static Value ResultOf(string kind, string text) =>
        new(text, kind switch { "sql" => Made.ByStatement, "http" => Made.ByRequest, _ => Made.Otherwise });

    private static bool IsOutside(JsonElement node, string kind) =>
        kind is "sql" or "http" or "call" or "run" || (kind is "forEach" && node.TryGetProperty("spread", out _));

    private static bool IsDetached(JsonElement node) => node.TryGetProperty("wait", out var wait) && !wait.GetBoolean();

    private async Task<Value> BranchesAsync(JsonElement branches, string path, bool isRace, int iteration, string place, Names names, CancellationToken stop)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var decided = new TaskCompletionSource<int>();
        var rest = new Rest();
        var scopes = branches.EnumerateArray().Select(_ => new Names(names)).ToArray();
        var tasks = new Task<Value>?[scopes.Length];
        var left = scopes.Length;

        async Task WatchAsync(int index, Task<Value> branch)
        {
            await ((Task)branch).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (--left == 0 || isRace || !branch.IsCompletedSuccessfully)
                decided.TrySetResult(index);
            rest.Ended();
        }

        for (var i = 0; i < tasks.Length && !decided.Task.IsCompleted; i++)
        {
            rest.Begun();
            tasks[i] = SequenceAsync(branches[i], $"{path}/{i}", iteration, $"{place}.{i:000}", scopes[i], given.Token);
            _ = WatchAsync(i, tasks[i]!);
        }

        var first = await decided.Task.ConfigureAwait(false);
        given.Cancel();
        await rest.EndAsync().ConfigureAwait(false);
        var winner = tasks[first] ?? throw new InvalidOperationException();
        if (!isRace && winner.IsCompletedSuccessfully)
        {
            foreach (var scope in scopes)
                names.Bind(scope);
            return $"[{string.Join(',', tasks.Select(task => task!.Result.Text))}]";
        }

        try
        {
            var result = await winner.ConfigureAwait(false);
            names.Bind(scopes[first]);
            return result;
        }
        catch (Exception e) when (e is BreakException or ReturnException)
        {
            names.Bind(scopes[first]);
            throw;
        }
    }

    private async Task<Value> LoopAsync(JsonElement node, string path, string place, Names names, CancellationToken stop)
    {
        var max = node.TryGetProperty("max", out var most) ? most.GetInt32() : int.MaxValue;
        for (var turn = 0; ; turn++)
        {
            Value last;
            try
            {
                last = await SequenceAsync(node.GetProperty("loop"), $"{path}/loop", turn, place, names, stop).ConfigureAwait(false);
            }
            catch (BreakException e)
            {
                return e.Value;
            }

            if (node.TryGetProperty("while", out var again) && !await HoldsAsync(again, $"{path}/while", turn, names, stop).ConfigureAwait(false))
                return last;
            if (turn + 1 >= max)
                return last;
        }
    }

    private async Task<string> ItemsAsync(JsonElement node, string path, int iteration, string place, Names names, CancellationToken stop)
    {
        var items = node.GetProperty("forEach").EnumerateArray().ToArray();
        var name = node.TryGetProperty("item", out var called) ? called.GetString()! : "item";
        using var given = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var atOnce = node.TryGetProperty("concurrency", out var most) ? most.GetInt32() : 10;
        var ended = new TaskCompletionSource<Exception?>();
        var rest = new Rest();
        var done = new string[items.Length];
        var left = items.Length;
        if (left == 0)
            return "[]";

        async Task ItemAsync(int index)
        {
            var own = new Names(names);
            own.Own[name] = items[index].GetRawText();
            try
            {
                done[index] = (await SequenceAsync(
                    node.GetProperty("do"), $"{path}[{index}]/do", iteration, $"{place}.{index:000}", new(own), given.Token).ConfigureAwait(false)).Text;
                if (--left == 0)
                    ended.TrySetResult(null);
            }
            catch (Exception e)
            {
                ended.TrySetResult(e);
            }
        }

        var next = 0;
        var active = 0;
        void Fill()
        {
            while (next < items.Length && active < atOnce && !ended.Task.IsCompleted)
            {
                active++;
                rest.Begun();
                _ = ThenFillAsync(next++);
            }
        }

        async Task ThenFillAsync(int index)
        {
            await ItemAsync(index).ConfigureAwait(false);
            active--;
            Fill();
            rest.Ended();
        }

        Fill();
        var failure = await ended.Task.ConfigureAwait(false);
        given.Cancel();
        await rest.EndAsync().ConfigureAwait(false);
        if (failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        return $"[{string.Join(',', done)}]";
    }

    private async Task<Value> TryAsync(JsonElement node, string path, int iteration, string place, Names names, CancellationToken stop)
    {
        Value result = default;
        Exception? pending = null;
        try
        {
            result = await SequenceAsync(node.GetProperty("try"), $"{path}/try", iteration, place, names, stop).ConfigureAwait(false);
        }
        catch (FailException failure) when (node.TryGetProperty("catch", out _))
        {
            var caught = new Names(names);
            caught.Own["error"] = $$"""{"kind":"{{failure.Where.Split(' ')[1]}}"}""";
            var handling = new Names(caught);
            try
            {
                result = await SequenceAsync(node.GetProperty("catch"), $"{path}/catch", iteration, place, handling, stop).ConfigureAwait(false);
                names.Bind(handling);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                pending = e;
                if (e is not FailException)
                    names.Bind(handling);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            pending = e;
        }

        if (node.TryGetProperty("finally", out var always))
            await SequenceAsync(always, $"{path}/finally", iteration, place, names, stop).ConfigureAwait(false);
        if (pending is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(pending);
        return result;
    }

    private async Task<string> WaitForSignalAsync(JsonElement node, string place, CancellationToken stop)
    {
        var name = node.GetProperty("waitForSignal").GetString()!;
        if (mailbox.FindIndex(signal => signal.Name == name) is >= 0 and var found)
        {
            var data = mailbox[found].Data;
            mailbox.RemoveAt(found);
            return Received(name, data);
        }

        var waiter = (place, name, new TaskCompletionSource<string>());
        waiters.Add(waiter);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await using var registration = stop.Register(() => waiter.Item3.TrySetCanceled(stop)).ConfigureAwait(false);
        if (node.TryGetProperty("timeout", out var timeout))
            _ = TimeOutAsync(time.Now + Micros(timeout.GetString()!), place, waiter.Item3, over.Token);
        try
        {
            return Received(name, await waiter.Item3.Task.ConfigureAwait(false));
        }
        finally
        {
            waiters.Remove(waiter);
            over.Cancel();
        }
    }

    private async Task TimeOutAsync(long at, string place, TaskCompletionSource<string> received, CancellationToken over)
    {
        try
        {
            await time.WaitUntilAsync(at, place, over).ConfigureAwait(false);
            received.TrySetResult("");
        }
        catch (OperationCanceledException)
        {
            // The signal came, or nobody waits for it.
        }
    }

    private static string Received(string name, string data) => data.Length == 0
        ? $$"""{"signal_name":"{{name}}","timed_out":true,"data":null}"""
        : $$"""{"signal_name":"{{name}}","timed_out":false,"data":{{data}}}""";

    private void Deliver(string name, string data)
    {
        var waiter = waiters.Where(waiter => waiter.Name == name).OrderBy(waiter => waiter.Place, StringComparer.Ordinal).FirstOrDefault();
        if (waiter.Received is { } received)
            received.TrySetResult(data);
        else
            mailbox.Add((name, data));
    }

    private async Task<bool> HoldsAsync(JsonElement condition, string path, int iteration, Names names, CancellationToken stop)
    {
        if (condition.ValueKind is JsonValueKind.String)
            return IsTrue(Fill(condition, names).Text);
        var only = condition.EnumerateObject().Single();
        var inner = $"{path}/{only.Name}";
        switch (only.Name)
        {
            case "sql":
                return FirstColumn((await ExecuteAsync(path, "sql", iteration, 1, stop).ConfigureAwait(false)).Text) is { } column && IsTrue(column);
            case "rows":
                return names.Find(only.Value.GetString()!) is { Made: Made.ByStatement } rows ? FirstColumn(rows.Text) is not null : throw new UnanswerableException();
            case "not":
                return !await HoldsAsync(only.Value, inner, iteration, names, stop).ConfigureAwait(false);
            case "all" or "any":
                var index = 0;
                foreach (var part in only.Value.EnumerateArray())
                {
                    if (await HoldsAsync(part, $"{inner}/{index++}", iteration, names, stop).ConfigureAwait(false) == (only.Name is "any"))
                        return only.Name is "any";
                }

                return only.Name is "all";
            default:
                return Compare(only.Name, Parse(Fill(only.Value[0], names).Text), Parse(Fill(only.Value[1], names).Text));
        }
    }

    private static bool Compare(string how, JsonElement a, JsonElement b) => how switch
    {
        "equals" => IsSame(a, b),
        "notEquals" => !IsSame(a, b),
        "greaterThan" => Order(a, b) > 0,
        "lessThan" => Order(a, b) < 0,
        _ => Contains(a, b),
    };

    private static bool IsSame(JsonElement a, JsonElement b) => a.ValueKind == b.ValueKind && a.ValueKind switch
    {
        JsonValueKind.Number => a.GetRawText() == b.GetRawText() || (RandomNumbers.RankOf(a.GetRawText()) is { } rank && rank == RandomNumbers.RankOf(b.GetRawText())),
        JsonValueKind.String => a.GetString() == b.GetString(),
        JsonValueKind.Array => a.GetArrayLength() == b.GetArrayLength() && a.EnumerateArray().Zip(b.EnumerateArray()).All(pair => IsSame(pair.First, pair.Second)),
        JsonValueKind.Object => a.GetPropertyCount() == b.GetPropertyCount()
            && a.EnumerateObject().All(member => b.TryGetProperty(member.Name, out var other) && IsSame(member.Value, other)),
        _ => true,
    };

    private static int Order(JsonElement a, JsonElement b) => (a.ValueKind, b.ValueKind) switch
    {
        (JsonValueKind.Number, JsonValueKind.Number) => RandomNumbers.RankOf(a.GetRawText())!.Value - RandomNumbers.RankOf(b.GetRawText())!.Value,
        (JsonValueKind.String, JsonValueKind.String) => string.CompareOrdinal(a.GetString(), b.GetString()),
        _ => throw new UnanswerableException(),
    };

    private static bool Contains(JsonElement a, JsonElement b) => a.ValueKind switch
    {
        JsonValueKind.String => b.ValueKind is JsonValueKind.String && a.GetString()!.Contains(b.GetString()!, StringComparison.Ordinal),
        JsonValueKind.Array => a.EnumerateArray().Any(item => IsSame(item, b)),
        JsonValueKind.Object => b.ValueKind is JsonValueKind.String && a.TryGetProperty(b.GetString()!, out _),
        _ => throw new UnanswerableException(),
    };

    private static bool IsTrue(string text) =>
        text is not ("null" or "false" or "[]" or "{}" or "\"\"" or "\"false\"" or "\"f\"" or "\"no\"" or "\"0\"") && !RandomNumbers.IsZero(text);

    // The only templates are whole values that may be missing, such as "{{ a? }}".
    private static Value Fill(JsonElement value, Names names) => value.ValueKind switch
    {
        JsonValueKind.String when value.GetString()!.StartsWith("{{", StringComparison.Ordinal) => Read(value.GetString()!.Trim('{', '}', ' ', '?'), names),
        JsonValueKind.Object => $"{{{string.Join(',', value.EnumerateObject().Select(member => $"\"{member.Name}\":{Fill(member.Value, names).Text}"))}}}",
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(item => Fill(item, names).Text))}]",
        _ => value.GetRawText(),
    };

    private static Value Read(string path, Names names)
    {
        var steps = path.Split('.').Skip(1).ToArray();
        if (names.Find(path.Split('.')[0]) is not { } found)
            return "null";
        if (steps is [])
            return found.Made is Made.ByStatement ? FirstColumn(found.Text) ?? "null" : found;

        var at = Parse(found.Text);
        if (found.Made is Made.ByStatement && steps[0] is not ("rows" or "row_count"))
        {
            if (at.GetProperty("rows").GetArrayLength() == 0)
                return "null";
            at = at.GetProperty("rows")[0];
        }

        if (found.Made is Made.ByRequest && steps is ["body", _, ..] && at.TryGetProperty("body", out var body))
            (at, steps) = (Parse(body.GetString()!), steps[1..]);
        foreach (var step in steps)
        {
            if (at.ValueKind is not JsonValueKind.Object || !at.TryGetProperty(step, out at))
                return "null";
        }

        return at.GetRawText();
    }

    private static string? FirstColumn(string result)
    {
        var rows = Parse(result).GetProperty("rows");
        return rows.GetArrayLength() == 0 ? null : rows[0].GetProperty("n").GetRawText();
    }

    private static JsonElement Parse(string text) => JsonElement.Parse(text, new JsonDocumentOptions { MaxDepth = 1000 });

    private static string KindOf(JsonElement node) => node.EnumerateObject().First().Name;

    private static long Micros(TimeSpan span) => span.Ticks / 10;

    private static long Micros(string milliseconds) => (long)(decimal.Parse(milliseconds[..^2], CultureInfo.InvariantCulture) * 1000);

    private sealed class Names(Names? outer)
    {
        public Dictionary<string, Value> Own { get; } = [];

        public Value? Find(string name) => Own.TryGetValue(name, out var value) ? value : outer?.Find(name);

        public void Bind(Names inner)
        {
            foreach (var (name, value) in inner.Own)
                Own[name] = value;
        }

        public Names Flat()
        {
            var flat = outer?.Flat() ?? new Names(null);
            flat.Bind(this);
            return flat;
        }
    }

    // What is given up is given up as a whole, before anything else goes on. (A second one who awaits a task would be told
    // on another thread.)
    private sealed class Rest
    {
        private readonly TaskCompletionSource all = new();
        private int left = 1;

        public void Begun() => left++;

        public void Ended()
        {
            if (--left == 0)
                all.SetResult();
        }

        public Task EndAsync()
        {
            Ended();
            return all.Task;
        }
    }

    private enum Made
    {
        Otherwise,
        ByStatement,
        ByRequest,
    }

    // A value's text, and which kind of node made it; what a template or a container makes is a value like any other.
    private readonly record struct Value(string Text, Made Made = Made.Otherwise)
    {
        public static implicit operator Value(string text) => new(text);
    }

    private sealed class ReturnException(Value value) : Exception
    {
        public Value Value => value;
    }

    private sealed class BreakException(Value value) : Exception
    {
        public Value Value => value;
    }

    private sealed class UnanswerableException : Exception;

    private sealed class FailException(string where, bool retryable) : Exception
    {
        public string Where => where;

        public bool Retryable => retryable;
    }
}
