-- Every table and view that somebody made, with its size by the planner's statistics and whether the
-- role may read anything of it. Partitions count for their parent, and so do inheritance children;
-- what belongs to an extension, or to a schema of this service, is left out. No table is opened.
WITH RECURSIVE cte_tree AS (
    SELECT c.oid AS root, c.oid
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    UNION
    SELECT tree.root, i.inhrelid
    FROM cte_tree AS tree
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid
), cte_size AS (
    SELECT
        tree.root,
        sum(GREATEST(c.reltuples, 0)) AS rows,
        sum(c.relpages::bigint) * current_setting('block_size')::bigint AS bytes
    FROM cte_tree AS tree
    JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid
    GROUP BY tree.root
)
SELECT
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    pg_catalog.pg_table_is_visible(c.oid) AS visible,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
    size.rows::bigint AS rows,
    size.bytes::bigint AS bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN cte_size AS size ON size.root = c.oid
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_class AS own
      WHERE own.relnamespace = n.oid AND own.relname = 'backfilled_impression'
  )
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.objid = c.oid
        AND d.deptype = 'e'
  )
ORDER BY n.nspname, c.relname
