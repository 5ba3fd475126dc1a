using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Millrace.Configuration;
using Millrace.Explaining;
using Millrace.Faults;
using Millrace.Nodes;
using Millrace.Pump;
using Millrace.Sizing;
using Millrace.Store;
using Millrace.Waking;

namespace Millrace;

/// <summary>Puts the engine into a host.</summary>
public static class ServiceRegistration
{
    /// <summary>
    /// Adds the engine: its settings from <c>Millrace:</c>, checked when the host starts; the store; and drains, for hosts
    /// that are called. The host calls <see cref="StorePreparation.PrepareAsync"/> before it starts.
    /// </summary>
    public static IServiceCollection AddMillrace(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<IValidateOptions<MillraceOptions>, MillraceOptionsValidator>();
        services.AddOptions<MillraceOptions>()
            .Configure(settings => SizingProfile.Of(configuration.GetSection("Millrace"))?.Apply(settings))
            .Bind(configuration.GetSection("Millrace"), binder => binder.ErrorOnUnknownConfiguration = true)
            .ValidateOnStart();

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<Database>();
        services.AddSingleton<StoreClock>();
        services.AddSingleton<StorePatience>();
        services.AddSingleton(WorkerName.ForThisProcess());
        services.AddSingleton<SizingCheck>();
        services.AddSingleton(provider => new Distribution(provider.GetRequiredService<Database>()));
        services.AddSingleton(provider => new StorePreparation(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<KeyStore>(), provider.GetRequiredService<StoreClock>(),
            provider.GetRequiredService<SizingCheck>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<IOptions<MillraceOptions>>(),
            provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton(provider => new PumpLag(provider.GetRequiredService<Database>(), provider.GetRequiredService<DueStore>()));
        services.AddSingleton(provider => new StoreHealth(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<PumpLag>(), provider.GetRequiredService<IOptions<MillraceOptions>>()));
        services.AddSingleton<KeyStore>();
        services.AddSingleton<WorkflowStore>();
        services.AddSingleton<VariableStore>();
        services.AddSingleton<InstanceList>();
        services.AddSingleton(provider => new InstanceExplainer(
            provider.GetRequiredService<InstanceStore>(), provider.GetRequiredService<WorkflowStore>(), provider.GetRequiredService<SignalStore>(),
            provider.GetRequiredService<ItemScopes>()));
        services.AddSingleton<BucketHistory>();
        services.AddSingleton<InstanceStore>();
        services.AddSingleton(provider => new ControlStore(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<InstanceStore>(), provider.GetRequiredService<RunRelay>(),
            provider.GetRequiredService<IOptions<MillraceOptions>>()));
        services.AddSingleton<SignalStore>();
        services.AddSingleton<ChildStore>();
        services.AddSingleton<ChildrenLeft>();
        services.AddSingleton(provider => new StartStore(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<PumpSignal>(), provider.GetRequiredService<BucketHistory>(),
            provider.GetRequiredService<StoreClock>(), provider.GetRequiredService<StorePatience>(), provider.GetRequiredService<IOptions<MillraceOptions>>()));

        services.AddSingleton<PumpSignal>();
        services.AddSingleton<RunRelay>();
        services.AddSingleton<ItemScopes>();
        services.AddSingleton(provider => new OutcomeHub(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<TimeProvider>(), Stopping(provider)));
        services.AddSingleton<LowWater>();
        services.AddSingleton<DueStore>();
        services.AddSingleton<ClaimStore>();
        services.AddSingleton<CheckpointStore>();
        services.AddSingleton<SqlStatement>();
        services.AddSingleton<SqlConnections>();
        services.AddSingleton<SqlExecutor>();
        services.AddSingleton<HttpExecutor>();
        services.AddSingleton<CallExecutor>();
        services.AddSingleton<NodeExecutors>();
        services.AddSingleton(provider => new RunServices(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<IOptions<MillraceOptions>>().Value.Pump,
            provider.GetRequiredService<IOptions<MillraceOptions>>().Value.Limits, provider.GetRequiredService<ClaimStore>(), provider.GetRequiredService<DueStore>(),
            provider.GetRequiredService<CheckpointStore>(), provider.GetRequiredService<NodeExecutors>(), provider.GetRequiredService<WorkflowStore>(),
            provider.GetRequiredService<InstanceStore>(), provider.GetRequiredService<SignalStore>(), provider.GetRequiredService<ChildStore>(),
            provider.GetRequiredService<ItemScopes>(), provider.GetRequiredService<StoreClock>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<RunRelay>(), provider.GetRequiredService<OutcomeHub>(), provider.GetRequiredService<ILogger<PumpLoop>>()));
        services.AddSingleton(provider => new Drain(
            provider.GetRequiredService<RunServices>(), provider.GetRequiredService<PumpSignal>(), provider.GetRequiredService<WorkerName>(),
            provider.GetRequiredService<PumpLag>(), provider.GetRequiredService<IOptions<MillraceOptions>>(), Stopping(provider)));
        services.AddSingleton<ReceiptStore>();
        services.AddSingleton<ReceiptCleaner>();
        services.AddSingleton(provider => new Maintenance(
            provider.GetRequiredService<Database>(), provider.GetRequiredService<ReceiptCleaner>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<IOptions<MillraceOptions>>(), provider.GetRequiredService<ILogger<Maintenance>>()));
        return services;
    }

    /// <summary>Adds what runs by itself in a process that is left running: the pump, maintenance, and news from other processes.</summary>
    public static IServiceCollection AddMillracePump(this IServiceCollection services)
    {
        services.AddHostedService<InstancePump>();
        services.AddHostedService<MaintenanceLoop>();
        services.AddHostedService<RemoteWake>();
        return services;
    }

    /// <summary>Adds what calls drains by messages, in hosts that are called. The host adds an <see cref="IWakeSender"/>.</summary>
    public static IServiceCollection AddMillraceWaking(this IServiceCollection services) =>
        services.AddSingleton(provider => new Waker(
            provider.GetRequiredService<Drain>(), provider.GetRequiredService<PumpSignal>(), provider.GetRequiredService<IWakeSender>(),
            provider.GetRequiredService<StoreClock>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<IOptions<MillraceOptions>>(), provider.GetRequiredService<ILogger<Waker>>()));

    // Told before anything is stopped: what waits for long in a call must not keep its host from stopping.
    private static CancellationToken Stopping(IServiceProvider provider) =>
        provider.GetService<IHostApplicationLifetime>()?.ApplicationStopping ?? CancellationToken.None;
}
