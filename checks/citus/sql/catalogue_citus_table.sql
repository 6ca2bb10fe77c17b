-- How Citus spreads one table; no row for a plain one. The shards' size is asked for on the
-- coordinator only; false: a node that doesn't answer makes it NULL, and no error.
SELECT
    p.partmethod::text AS partmethod,
    p.repmodel::text AS repmodel,
    p.colocationid::bigint AS colocationid,
    CASE
        WHEN p.partkey IS NOT NULL
        THEN pg_catalog.column_to_column_name(p.logicalrelid, p.partkey)
    END AS distribution_column,
    CASE
        WHEN %(sized)s::boolean
        THEN pg_catalog.citus_total_relation_size(p.logicalrelid, false)
    END AS total_bytes
FROM pg_catalog.pg_dist_partition AS p
WHERE p.logicalrelid = %(relation)s::oid
