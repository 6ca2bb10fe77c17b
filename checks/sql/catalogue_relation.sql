-- One table, view or partitioned table under the name in the configuration, with what the
-- connected role may do there. No row: there is no such relation.
--
-- to_regclass() raises where the role lacks USAGE on the schema, so a qualified name is looked up
-- by hand and the missing privilege becomes a fact. Partitions and inheritance children are walked
-- because only the leaves have rows, sizes, and triggers of their own.
WITH RECURSIVE cte_root AS (
    SELECT c.oid, c.relname, c.relkind, c.relnamespace, n.nspname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = %(name)s
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND CASE
              WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
              ELSE n.nspname = %(schema)s::text
          END
), cte_tree AS (
    SELECT root.oid FROM cte_root AS root
    UNION
    SELECT i.inhrelid FROM cte_tree AS tree JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid
), cte_leaf AS (
    SELECT c.oid, c.reltuples, c.relallvisible
    FROM cte_tree AS tree
    JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid
    WHERE c.relkind IN ('r', 'm', 'f')
), cte_needed AS (
    SELECT a.attnum, a.attname
    FROM cte_root AS root
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = root.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT
    root.oid::bigint AS oid,
    root.nspname::text AS schema,
    root.relname::text AS name,
    root.relkind::text AS kind,
    usage.granted AS can_use_schema,
    usage.granted AND COALESCE((
        SELECT bool_and(pg_catalog.has_column_privilege(root.oid, needed.attnum, 'SELECT'))
        FROM cte_needed AS needed
        WHERE %(whole)s::boolean OR needed.attname = ANY(%(read)s::text[])
    ), true) AS can_select,
    usage.granted AND COALESCE((
        SELECT bool_and(pg_catalog.has_column_privilege(root.oid, needed.attnum, 'INSERT'))
        FROM cte_needed AS needed
        WHERE needed.attname = ANY(%(written)s::text[])
    ), true) AS can_insert,
    usage.granted AND pg_catalog.has_table_privilege(root.oid, 'DELETE') AS can_delete,
    usage.granted AND COALESCE((
        SELECT bool_and(pg_catalog.has_column_privilege(root.oid, needed.attnum, 'UPDATE'))
        FROM cte_needed AS needed
        WHERE needed.attname = ANY(%(updated)s::text[])
    ), true) AS can_update,
    -- Triggers that fire for ordinary writers; clones on partitions repeat their parent.
    ARRAY(
        SELECT DISTINCT t.tgname::text
        FROM cte_tree AS tree
        JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = tree.oid
        WHERE NOT t.tgisinternal
          AND t.tgparentid = 0
          AND t.tgenabled IN ('O', 'A')
          AND (t.tgtype & 4) <> 0 -- TRIGGER_TYPE_INSERT
        ORDER BY 1
    ) AS insert_triggers,
    ARRAY(
        SELECT DISTINCT t.tgname::text
        FROM cte_tree AS tree
        JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = tree.oid
        WHERE NOT t.tgisinternal
          AND t.tgparentid = 0
          AND t.tgenabled IN ('O', 'A')
          AND (t.tgtype & 7) = 7 -- TRIGGER_TYPE_ROW, _BEFORE and _INSERT
        ORDER BY 1
    ) AS row_changing_triggers,
    ARRAY(
        SELECT DISTINCT t.tgname::text
        FROM cte_tree AS tree
        JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = tree.oid
        WHERE NOT t.tgisinternal
          AND t.tgparentid = 0
          AND t.tgenabled IN ('O', 'A')
          AND (t.tgtype & 16) <> 0 -- TRIGGER_TYPE_UPDATE
        ORDER BY 1
    ) AS update_triggers,
    -- ON CONFLICT is refused by a table with INSERT or UPDATE rules.
    ARRAY(
        SELECT r.rulename::text
        FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class = root.oid AND r.ev_type IN ('2', '3') AND r.ev_enabled <> 'D'
        ORDER BY 1
    ) AS write_rules,
    ARRAY(
        SELECT DISTINCT p.pubname::text
        FROM cte_tree AS tree
        JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_publication_tables AS pt
            ON pt.schemaname = n.nspname AND pt.tablename = c.relname
        JOIN pg_catalog.pg_publication AS p ON p.pubname = pt.pubname
        WHERE p.pubinsert
        ORDER BY 1
    ) AS publications,
    -- A unique index or foreign key of an inheritance parent says nothing about its children.
    CASE WHEN root.relkind = 'p' THEN ARRAY[]::text[] ELSE ARRAY(
        SELECT i.inhrelid::pg_catalog.regclass::text
        FROM pg_catalog.pg_inherits AS i
        WHERE i.inhparent = root.oid
        ORDER BY 1
    ) END AS inherited_by,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_partitioned_table AS pt
        CROSS JOIN LATERAL unnest(pt.partattrs::smallint[]) WITH ORDINALITY AS k (attnum, position)
        LEFT JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = pt.partrelid AND a.attnum = k.attnum AND k.attnum > 0
        WHERE pt.partrelid = root.oid
        ORDER BY k.position
    ) AS partition_key,
    COALESCE((SELECT sum(GREATEST(leaf.reltuples, 0)) FROM cte_leaf AS leaf), 0)::bigint AS estimated_rows,
    COALESCE((SELECT bool_or(leaf.reltuples >= 0) FROM cte_leaf AS leaf), true) AS analysed,
    COALESCE((SELECT sum(pg_catalog.pg_total_relation_size(leaf.oid)) FROM cte_leaf AS leaf), 0)::bigint
        AS total_bytes,
    COALESCE((SELECT sum(pg_catalog.pg_relation_size(leaf.oid)) FROM cte_leaf AS leaf), 0)::bigint
        AS row_bytes,
    COALESCE((SELECT sum(leaf.relallvisible) FROM cte_leaf AS leaf), 0)::bigint
        * pg_catalog.current_setting('block_size')::bigint AS visible_bytes
FROM cte_root AS root
CROSS JOIN LATERAL (
    SELECT pg_catalog.has_schema_privilege(root.relnamespace, 'USAGE') AS granted
) AS usage
