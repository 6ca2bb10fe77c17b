-- How many rows were ever deleted from each of the tables and their partitions, as far as the
-- server's statistics know. Deletes of the last seconds may be missing, and after a crash it begins
-- at none.
SELECT array_agg(d.rows ORDER BY d.number) AS rows
FROM (
    SELECT
        t.number,
        pg_stat_get_tuples_deleted(t.relation) + coalesce((
            SELECT sum(pg_stat_get_tuples_deleted(p.relid::oid))
            FROM pg_partition_tree(t.relation::regclass) AS p
            WHERE p.relid <> t.relation
        ), 0)::bigint AS rows
    FROM unnest(%(relations)s::oid[]) WITH ORDINALITY AS t (relation, number)
) AS d
