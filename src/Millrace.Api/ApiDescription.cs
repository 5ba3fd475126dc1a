using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Millrace.Values;

namespace Millrace.Api;

/// <summary>What the OpenAPI document says beyond what the endpoints tell by themselves.</summary>
internal static class ApiDescription
{
    /// <summary>The name by which the document is found.</summary>
    public const string DocumentName = "v1";

    private const string KeyScheme = "api_key";

    private static readonly Dictionary<string, (ParameterLocation In, string Name, string Description)[]> Parameters = new(StringComparer.Ordinal)
    {
        ["StartInstance"] =
        [
            (ParameterLocation.Header, "Idempotency-Key", "The same key and body start one instance only; another body is refused with 422. Remembered for a day."),
            (ParameterLocation.Header, "Prefer", "wait=10 waits up to 10 seconds for the end and then answers 200 with the instance."),
        ],
        ["StartInstances"] = [(ParameterLocation.Header, "Idempotency-Key", "The key belongs to the whole batch: the same key and body answer the same ids; another body, whatever it shares with the first one, is refused with 422 and starts nothing.")],
        ["ListInstances"] =
        [
            (ParameterLocation.Query, "status", "Only instances with this status."),
            (ParameterLocation.Query, "label", "Only instances with this label."),
            (ParameterLocation.Query, "workflow", "Only instances of this workflow."),
            (ParameterLocation.Query, "limit", "1 to 1000; 100 where it is left out. A page that grows beyond 4 MiB ends earlier, and where few instances match several filters it may hold fewer, or none, with has_more true: go on with its cursor."),
            (ParameterLocation.Query, "cursor", "The next_cursor of the page before."),
        ],
        ["GetInstance"] = [(ParameterLocation.Query, "wait", "A duration such as 30s: answer when the instance has ended, or after this time.")],
        ["ListNodes"] = Paging,
        ["ListWorkflows"] = Paging,
        ["ListVersions"] = Paging,
        ["GetWorkflow"] = [(ParameterLocation.Query, "version", "Which version; the newest where it is left out.")],
    };

    private static (ParameterLocation, string, string)[] Paging =>
    [
        (ParameterLocation.Query, "limit", "1 to 1000; 100 where it is left out. A page that grows beyond 4 MiB ends earlier."),
        (ParameterLocation.Query, "cursor", "The next_cursor of the page before."),
    ];

    public static void Configure(OpenApiOptions options)
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new()
            {
                Title = "Millrace",
                Version = "v1",
                Description = "Durable workflows on PostgreSQL. The definition of a workflow is described by the JSON Schema at "
                    + $"{ApiRoutes.Base}/schemas/workflow.json.",
            };
            document.Components ??= new();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes[KeyScheme] =
                new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An API key: mr_…" };
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            Describe(operation, context);
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer((schema, context, _) =>
        {
            // Any JSON value: a schema that says nothing.
            if (context.JsonTypeInfo.Type == typeof(Json))
                (schema.Type, schema.Properties, schema.Required) = (null, null, null);
            return Task.CompletedTask;
        });
    }

    private static void Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        operation.Parameters ??= [];
        foreach (var (place, name, description) in Parameters.GetValueOrDefault(operation.OperationId ?? "") ?? [])
        {
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = name,
                In = place,
                Description = description,
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }

        // Route values are read from the request, so the endpoints' own signatures do not name them.
        foreach (var part in context.Description.RelativePath?.Split('/') ?? [])
        {
            var name = part.Trim('{', '}');
            if (part.StartsWith('{') && operation.Parameters.All(parameter => parameter.Name != name))
            {
                operation.Parameters.Add(new OpenApiParameter
                {
                    Name = name,
                    In = ParameterLocation.Path,
                    Required = true,
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                });
            }
        }

        if (operation.Responses?.ContainsKey(StatusCodes.Status401Unauthorized.ToString(System.Globalization.CultureInfo.InvariantCulture)) is true)
            operation.Security = [new() { [new OpenApiSecuritySchemeReference(KeyScheme, context.Document)] = [] }];
    }
}
