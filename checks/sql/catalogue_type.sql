-- A type, as catalogue_columns tells that of a column: seen through domains.
WITH RECURSIVE cte_unwrapped AS (
    SELECT t.* FROM pg_catalog.pg_type AS t WHERE t.oid = %(type)s::oid
    UNION ALL
    SELECT t.* FROM cte_unwrapped AS u JOIN pg_catalog.pg_type AS t ON t.oid = u.typbasetype
    WHERE u.typtype = 'd'
)
SELECT
    %(name)s::text AS name,
    pg_catalog.format_type(%(type)s::oid, NULL) AS type,
    CASE
        WHEN n.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, -1)
        ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname)
    END AS "cast",
    FALSE AS not_null,
    FALSE AS has_default,
    t.typcategory::text AS category,
    t.oid = 'pg_catalog.timestamptz'::pg_catalog.regtype AS has_time_zone,
    TRUE AS orderable,
    %(type)s::oid::bigint AS oid,
    t.oid::bigint AS base_oid,
    t.typcollation::bigint AS collation_oid
FROM cte_unwrapped AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typtype <> 'd'
