using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Millrace.Api.Contracts;
using Millrace.Execution;
using Millrace.Explaining;
using Millrace.Pump;
using Millrace.Store;

namespace Millrace.Api.Handlers;

/// <summary>Calls that look at instances and act on single ones.</summary>
public sealed class InstanceHandlers(InstanceStore instances, InstanceList list, InstanceExplainer explainer, ChildrenLeft childrenLeft, OutcomeHub outcomes, TimeProvider time)
{
    /// <summary>GET /instances/{id}</summary>
    public async Task<IResult> GetAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var id = QueryReader.Id(request);
        var view = await FindAsync(organisation, id, cancel);
        if (QueryReader.Wait(request) is { } wait && !view.Status.IsEnd())
        {
            view = await WaitAsync(organisation, id, view, wait, cancel);
        }

        return Answers.Json(Answers.Instance(await childrenLeft.TellAsync(view, cancel)), ApiJson.Relaxed.InstanceResponse);
    }

    /// <summary>GET /instances</summary>
    public async Task<IResult> ListAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var filter = new InstanceFilter(
            organisation, Status(request), QueryReader.Text(request, "label"), QueryReader.Text(request, "workflow"), Before(request), QueryReader.Limit(request));
        var page = await list.PageAsync(filter, cancel);
        var data = (await childrenLeft.TellAsync(page.Instances, cancel)).Select(Answers.Instance).ToList();
        return Answers.Json(new(data, page.Next is not null, page.Next is { } next ? QueryReader.Cursor(next.ToString()) : null), ApiJson.Relaxed.InstancePage);
    }

    /// <summary>GET /instances/{id}/nodes</summary>
    public async Task<IResult> NodesAsync(HttpRequest request, Guid organisation, CancellationToken cancel)
    {
        var id = QueryReader.Id(request);
        var from = QueryReader.AfterNumber(request) ?? 0;
        await FindAsync(organisation, id, cancel);
        var page = await instances.HistoryAsync(organisation, id, from, QueryReader.Limit(request), cancel);
        return Answers.Json(
            new([.. page.Items.Select(Node)], page.HasMore, page.HasMore ? QueryReader.Cursor(Next(page).ToString(CultureInfo.InvariantCulture)) : null),
            ApiJson.Relaxed.NodePage);

        static int Next(Page<ExecutionView> page) => page.Items[^1].Execution.Ordinal + 1;
    }

    /// <summary>GET /instances/{id}/explain</summary>
    public async Task<IResult> ExplainAsync(HttpRequest request, Guid organisation, CancellationToken cancel) =>
        Draw(request, await explainer.ExplainAsync(organisation, QueryReader.Id(request), cancel) ?? throw Unknown());

    /// <summary>Draws a picture in the form that the caller accepts.</summary>
    internal static IResult Draw(HttpRequest request, Explanation explanation)
    {
        var accepted = MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var list) ? list : [];
        foreach (var type in accepted.OrderByDescending(type => type.Quality ?? 1))
        {
            switch (type.MediaType.Value)
            {
                case "text/plain":
                    return Answers.Text(ExplainText.Draw(explanation), "text/plain; charset=utf-8");
                case "text/vnd.mermaid":
                    return Answers.Text(ExplainMermaid.Draw(explanation), "text/vnd.mermaid; charset=utf-8");
                case "application/json":
                    return Answers.Json(explanation, ApiJson.Relaxed.Explanation);
            }
        }

        return Answers.Json(explanation, ApiJson.Relaxed.Explanation);
    }

    private async Task<InstanceView> WaitAsync(Guid organisation, Guid id, InstanceView view, TimeSpan wait, CancellationToken cancel)
    {
        var began = time.GetTimestamp();
        while (!view.Status.IsEnd() && time.GetElapsedTime(began) is var passed && passed < wait)
        {
            var hasEnded = await outcomes.WaitAsync(organisation, id, wait - passed, cancel);
            view = await FindAsync(organisation, id, cancel);
            if (!hasEnded)
                break;
            // It had ended before, and was retried since.
            if (!view.Status.IsEnd())
                outcomes.Forget(id);
        }

        return view;
    }

    private async Task<InstanceView> FindAsync(Guid organisation, Guid id, CancellationToken cancel) =>
        await instances.FindAsync(organisation, id, cancel) ?? throw Unknown();

    private static ProblemException Unknown() => ProblemException.NotFound("There is no such instance.");

    private static InstanceStatus? Status(HttpRequest request)
    {
        if (QueryReader.Text(request, "status") is not { } text)
            return null;
        return StatusNames.InstanceStatusOf(text)
            ?? throw ProblemException.BadRequest($"\"status\" is one of {string.Join(", ", Enum.GetValues<InstanceStatus>().Select(StatusNames.Name))}.");
    }

    private static Guid? Before(HttpRequest request) => QueryReader.After(request) switch
    {
        null => null,
        { } text when Guid.TryParse(text, out var id) => id,
        _ => throw QueryReader.BadCursor(),
    };

    private static NodeResponse Node(ExecutionView view)
    {
        var execution = view.Execution;
        return new(
            execution.Key.Path, execution.Kind, execution.Key.Iteration, execution.Key.Attempt, execution.Status.Name(), execution.Result,
            ErrorJson.OfExecution(execution.Error), execution.StartedAt, execution.EndedAt, (execution.EndedAt - execution.StartedAt).TotalMilliseconds, view.Worker);
    }
}
