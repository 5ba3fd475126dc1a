using Millrace.Chaos;

namespace Millrace.Tests.Support;

/// <summary>Says that a test needs PgBouncer; without it the test is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PgBouncerFactAttribute : FactAttribute
{
    public PgBouncerFactAttribute()
    {
        if (PgBouncer.Program is null)
            Skip = "needs PgBouncer (Debian: apt-get install pgbouncer)";
    }
}
