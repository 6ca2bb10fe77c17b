-- Whether the ledger is there, and how Citus spreads it: NULL for a plain table. Always one row. The
-- size of its shards only where it is asked for.
SELECT
    c.oid IS NOT NULL AS present,
    p.partmethod::text AS partmethod,
    p.repmodel::text AS repmodel,
    p.colocationid::bigint AS colocationid,
    CASE
        WHEN p.partkey IS NOT NULL
        THEN pg_catalog.column_to_column_name(p.logicalrelid, p.partkey)
    END AS distribution_column,
    CASE
        WHEN %(sized)s::boolean AND p.logicalrelid IS NOT NULL
        THEN pg_catalog.citus_total_relation_size(p.logicalrelid, false)
    END AS total_bytes
FROM (SELECT) AS one
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = %(state_schema)s
LEFT JOIN pg_catalog.pg_class AS c
    ON c.relnamespace = n.oid AND c.relname = 'backfilled_impression'
LEFT JOIN pg_catalog.pg_dist_partition AS p ON p.logicalrelid = c.oid
