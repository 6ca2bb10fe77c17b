-- The columns of many relations at once, with their types seen through domains; as much of each as
-- its name, type and nullability say. Only of relations that the role may read.
WITH RECURSIVE cte_type AS (
    SELECT t.oid, t.oid AS base, t.typtype, t.typbasetype, t.typnotnull
    FROM pg_catalog.pg_type AS t
    UNION ALL
    SELECT u.oid, t.oid, t.typtype, t.typbasetype, u.typnotnull OR t.typnotnull
    FROM cte_type AS u
    JOIN pg_catalog.pg_type AS t ON t.oid = u.typbasetype
    WHERE u.typtype = 'd'
)
SELECT
    a.attrelid::bigint AS relation,
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    pg_catalog.format_type(b.oid, -1) AS "cast",
    a.attnotnull OR u.typnotnull AS not_null,
    a.atthasdef OR a.attidentity <> '' AS has_default,
    b.typcategory::text AS category,
    b.oid = 'pg_catalog.timestamptz'::pg_catalog.regtype AS has_time_zone,
    true AS orderable,
    a.attcollation::bigint AS collation_oid
FROM pg_catalog.pg_attribute AS a
JOIN cte_type AS u ON u.oid = a.atttypid AND u.typtype <> 'd'
JOIN pg_catalog.pg_type AS b ON b.oid = u.base
WHERE a.attrelid = ANY(%(relations)s::bigint[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
