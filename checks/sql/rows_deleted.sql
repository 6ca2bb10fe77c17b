-- How many rows were ever deleted from a table and its partitions, as far as the server's statistics
-- know. Deletes of the last seconds may be missing, and after a crash it begins at none.
SELECT
    pg_stat_get_tuples_deleted(%(relation)s::oid)
    + coalesce((
        SELECT sum(pg_stat_get_tuples_deleted(p.relid::oid))
        FROM pg_partition_tree(%(relation)s::oid::regclass) AS p
        WHERE p.relid <> %(relation)s::oid
    ), 0)::bigint AS rows
