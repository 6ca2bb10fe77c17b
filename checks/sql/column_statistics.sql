-- What the planner knows of some columns of one relation, and their names, quoted where need be.
-- Where it knows nothing (a view, never analysed, not this role's to read) all but the names is
-- NULL. A partitioned table only has inherited statistics, and those of a whole tree are the better
-- ones anyway.
SELECT
    a.attname::text AS name,
    pg_catalog.quote_ident(a.attname) AS quoted,
    s.null_frac AS nulls,
    s.n_distinct AS distinct_values,
    s.most_common_vals::text::text[] AS common_values,
    s.most_common_freqs AS common_shares,
    -- What was sampled reaches back to the year of the epoch, or down to 0; of other types NULL.
    CASE
        WHEN a.atttypid IN (
            'pg_catalog.timestamptz'::pg_catalog.regtype,
            'pg_catalog.timestamp'::pg_catalog.regtype,
            'pg_catalog.date'::pg_catalog.regtype
        ) THEN EXISTS (
            SELECT FROM unnest(s.sampled) AS one (value)
            WHERE one.value::timestamptz < '1971-01-01'
        )
        WHEN a.atttypid IN (
            'pg_catalog.int2'::pg_catalog.regtype,
            'pg_catalog.int4'::pg_catalog.regtype,
            'pg_catalog.int8'::pg_catalog.regtype
        ) THEN EXISTS (
            SELECT FROM unnest(s.sampled) AS one (value)
            WHERE one.value::bigint <= 0
        )
    END AS reaches_zero
FROM pg_catalog.pg_attribute AS a
LEFT JOIN LATERAL (
    SELECT
        st.*,
        st.most_common_vals::text::text[] || (st.histogram_bounds::text::text[])[1:1] AS sampled
    FROM pg_catalog.pg_stats AS st
    WHERE st.schemaname = %(schema)s AND st.tablename = %(table)s AND st.attname = a.attname
    ORDER BY st.inherited DESC
    LIMIT 1
) AS s ON true
WHERE a.attrelid = %(relation)s::oid AND a.attname = ANY(%(columns)s::text[])
ORDER BY a.attnum
