using System.Collections.Frozen;

namespace Millrace.Nodes;

/// <summary>
/// Whether a statement may leave something behind in its session that the next one would see: a setting, an advisory
/// lock, a temporary table, an open cursor. Putting a session back costs more than most statements, so it is done only
/// where it may be needed. In doubt it is: harmless is what queries and changes rows and calls no function but those
/// known here. What a trigger, an operator or a view of the database's own does to its session is not looked for.
/// </summary>
internal static class SessionTraces
{
    private static readonly FrozenSet<string> Openings = Set("select insert update delete merge values with table");

    // Words that open nothing by themselves, but make a session's own table.
    private static readonly FrozenSet<string> Suspicious = Set("temp temporary");

    // What may stand before a parenthesis: key words, types, and functions of PostgreSQL's own that only compute.
    private static readonly FrozenSet<string> Harmless = Set("""
        all and any array as between by case cast coalesce conflict cube distinct else except exists extract filter from
        greatest grouping having in inner intersect interval is join lateral least left like ilike limit materialized not
        nullif offset on or order over overlay partition position rollup returning row rows select sets similar some
        substring then trim union using value values when where with within
        bigint bit bool boolean bytea char character date decimal double float float4 float8 int int2 int4 int8 integer
        numeric real smallint text time timestamp timestamptz uuid varchar varying
        abs age array_agg array_append array_cat array_length array_position array_prepend array_remove array_replace
        array_to_json array_to_string avg bool_and bool_or btrim cardinality ceil ceiling char_length character_length
        chr clock_timestamp concat concat_ws count cume_dist date_bin date_part date_trunc decode dense_rank div encode
        every exp first_value floor format gen_random_uuid generate_series generate_subscripts hashtext initcap
        isfinite json_agg json_array_elements json_array_elements_text json_array_length json_build_array
        json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object json_object_agg
        json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset
        json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
        jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert
        jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query
        jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty
        jsonb_set jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours
        justify_interval lag last_value lead length ln log lower lpad ltrim make_date make_interval make_time
        make_timestamp make_timestamptz max md5 min mod mode now nth_value ntile num_nonnulls num_nulls octet_length
        percent_rank percentile_cont percentile_disc pg_sleep pg_typeof pi power quote_ident quote_literal
        quote_nullable random rank regexp_count regexp_like regexp_match regexp_matches regexp_replace
        regexp_split_to_array regexp_split_to_table repeat replace reverse right round row_number row_to_json rpad
        rtrim scale sha224 sha256 sha384 sha512 sign split_part sqrt starts_with statement_timestamp stddev
        stddev_pop stddev_samp string_agg string_to_array strpos substr sum timeofday to_char to_date to_hex to_json
        to_jsonb to_number to_timestamp transaction_timestamp translate trunc unnest upper var_pop var_samp variance
        width_bucket
        """);

    /// <summary>Whether a statement may leave traces in its session.</summary>
    public static bool MayLeave(string statement)
    {
        // A comment may stand anywhere, so also between a function's name and its parenthesis.
        if (statement.Contains("--", StringComparison.Ordinal) || statement.Contains("/*", StringComparison.Ordinal))
            return true;
        var isFirst = true;
        var before = "";
        var at = 0;
        while (at < statement.Length)
        {
            if (!IsNamePart(statement[at]))
            {
                // Only a word right before a name says what the name is: one inside a text says nothing.
                if (!char.IsWhiteSpace(statement[at]))
                    before = "";
                at++;
                continue;
            }

            var begin = at;
            while (at < statement.Length && (IsNamePart(statement[at]) || statement[at] == '.'))
                at++;
            var name = statement[begin..at].ToLowerInvariant();
            if ((isFirst && !Openings.Contains(name)) || Suspicious.Contains(name) || name.Contains("pg_temp", StringComparison.Ordinal))
                return true;
            if (IsCalled(statement, at) && !Harmless.Contains(name) && !NamesColumnsAfter(before))
                return true;
            (isFirst, before) = (false, name);
        }

        return false;
    }

    private static bool IsCalled(string statement, int at)
    {
        while (at < statement.Length && char.IsWhiteSpace(statement[at]))
            at++;
        return at < statement.Length && statement[at] == '(';
    }

    // "INSERT INTO name (columns)", "… AS name (columns)".
    private static bool NamesColumnsAfter(string word) => word is "into" or "as";

    // A quote counts as a part of a name: a quoted name is then one that nobody knows.
    private static bool IsNamePart(char c) => char.IsLetterOrDigit(c) || c is '_' or '$' or '"' || c > 127;

    private static FrozenSet<string> Set(string words) =>
        words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);
}
