-- How large tables are as they lie on disk now, partitions and inheritance children included.
WITH RECURSIVE cte_tree AS (
    SELECT r.oid AS root, r.oid FROM unnest(%(relations)s::bigint[]::oid[]) AS r (oid)
    UNION
    SELECT tree.root, i.inhrelid
    FROM cte_tree AS tree
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT
    tree.root::bigint AS relation,
    COALESCE(sum(pg_catalog.pg_relation_size(tree.oid)), 0)::bigint AS bytes
FROM cte_tree AS tree
GROUP BY tree.root
