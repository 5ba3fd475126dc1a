using System.Reflection;
using Microsoft.AspNetCore.Routing;
using Microsoft.Azure.Functions.Worker;
using Millrace.Functions;
using Millrace.Tests.Support;

namespace Millrace.Tests.Functions;

/// <summary>The two hosts have the same calls.</summary>
public sealed class RouteTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    [Fact]
    public void Every_call_has_one_function_and_one_endpoint_of_the_same_name_and_there_is_nothing_else()
    {
        var endpoints = fixture.Server.Service<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(endpoint => endpoint.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods
                .Select(method => $"{method} {endpoint.RoutePattern.RawText} {endpoint.Metadata.GetRequiredMetadata<IEndpointNameMetadata>().EndpointName}"))
            .Order(StringComparer.Ordinal)
            .ToList();
        var functions = AppFunction.All.Where(function => function.Http is not null)
            .SelectMany(function => function.Http!.Methods.Select(method => $"{method.ToUpperInvariant()} /api/{function.Http.Route} {function.Name}"))
            .Order(StringComparer.Ordinal)
            .ToList();
        Assert.Equal(endpoints, functions);
        Assert.True(endpoints.Count > 25, "the calls were not found");
        Assert.Equal(functions.Count, functions.Select(function => string.Join(' ', function.Split(' ')[..2])).Distinct().Count());
    }

    [Fact]
    public void Besides_calls_there_are_the_pump_the_wake_queue_and_maintenance()
    {
        Assert.Equal(["Maintenance", "Pump", "Wake"], AppFunction.All.Where(function => function.Http is null).Select(function => function.Name).Order());
        Assert.Equal("%Millrace:PumpSchedule%", AppFunction.All.Single(function => function.Name == "Pump").Timer!.Schedule);
        Assert.Equal("%Millrace:MaintenanceSchedule%", AppFunction.All.Single(function => function.Name == "Maintenance").Timer!.Schedule);
        Assert.Equal("%Millrace:Wake:Queue%", AppFunction.All.Single(function => function.Name == "Wake").Queue!.QueueName);
    }

    [Fact]
    public void Keys_are_ours_and_not_the_hosts() =>
        Assert.All(AppFunction.All.Where(function => function.Http is not null), function => Assert.Equal(AuthorizationLevel.Anonymous, function.Http!.AuthLevel));

    [Fact]
    public void Calls_that_may_make_instances_ready_send_tokens_and_no_others()
    {
        var waking = AppFunction.All.Where(function => function.Method.ReturnType == typeof(Task<WakingAnswer>)).Select(function => function.Name).Order();
        Assert.Equal(["CancelInstance", "ResumeInstance", "RetryInstance", "SendSignal", "StartInstance", "StartInstances", "SuspendInstance"], waking);
        var output = typeof(WakingAnswer).GetProperty(nameof(WakingAnswer.Tokens))!.GetCustomAttribute<QueueOutputAttribute>()!;
        Assert.Equal("%Millrace:Wake:Queue%", output.QueueName);
        Assert.NotNull(typeof(WakingAnswer).GetProperty(nameof(WakingAnswer.Answer))!.GetCustomAttribute<HttpResultAttribute>());
    }

    [Fact]
    public void Answers_show_nothing_of_themselves_to_whoever_serialises_results()
    {
        // The worker serialises the results of functions for its host, beside writing them to the caller.
        var answers = typeof(Millrace.Api.ApiGate).Assembly.GetTypes().Where(type => type is { IsClass: true } && type.IsAssignableTo(typeof(Microsoft.AspNetCore.Http.IResult))).ToList();
        Assert.True(answers.Count >= 3);
        Assert.All(answers, type => Assert.Empty(type.GetProperties(BindingFlags.Public | BindingFlags.Instance)));
    }
}
