-- What a repair has to know of its table at this moment: whether it is called so still, its columns, what
-- keeps its key unique, what the role may do there, which foreign keys follow its rows, and which triggers
-- of the app hear of a change. `family`: the table with all that it is a part of, and all its parts.
SELECT
    pg_catalog.jsonb_agg(
        pg_catalog.jsonb_build_array(
            a.attnum, a.attname, a.atttypid::bigint, a.atttypmod, tn.nspname || '.' || ty.typname,
            a.attgenerated::text, a.attidentity::text
        )
        ORDER BY a.attnum
    ) AS columns,
    EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = %(target)s::oid AND c.relname = %(name)s AND n.nspname = %(schema)s
    ) AS named,
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS x
        WHERE x.indrelid = %(target)s::oid
          AND x.indisunique AND x.indisvalid AND x.indisready AND x.indimmediate
          AND x.indpred IS NULL AND NOT x.indisexclusion
          AND NOT EXISTS (
              SELECT FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
              LEFT JOIN pg_catalog.pg_attribute AS i
                  ON i.attrelid = x.indrelid AND i.attnum = k.attnum AND k.attnum <> 0
              WHERE k.position <= x.indnkeyatts
                AND (i.attname IS NULL OR i.attname <> ALL (%(key)s::text[]))
          )
    ) AS keyed,
    pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
        FILTER (WHERE a.attgenerated <> '') AS generated,
    pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
        FILTER (WHERE a.attidentity = 'a') AS numbered,
    (
        SELECT pg_catalog.array_agg(p.privilege ORDER BY p.privilege)
        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (privilege)
        WHERE pg_catalog.has_table_privilege(%(target)s::oid, p.privilege)
    ) AS privileges,
    ARRAY(
        SELECT pg_catalog.quote_ident(c.conname) || ' of ' || c.conrelid::pg_catalog.regclass::text
        FROM pg_catalog.pg_constraint AS c
        WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confdeltype IN ('c', 'n', 'd')
          AND c.confrelid = ANY (f.family)
        ORDER BY 1
    ) AS deleted_along,
    ARRAY(
        SELECT pg_catalog.quote_ident(c.conname) || ' of ' || c.conrelid::pg_catalog.regclass::text
        FROM pg_catalog.pg_constraint AS c
        WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confupdtype IN ('c', 'n', 'd')
          AND c.confrelid = ANY (f.family)
          AND EXISTS (
              SELECT FROM pg_catalog.pg_attribute AS k
              WHERE k.attrelid = c.confrelid AND k.attnum = ANY (c.confkey)
                AND k.attname = ANY (%(changed)s::text[])
          )
        ORDER BY 1
    ) AS updated_along,
    ARRAY(
        SELECT DISTINCT t.tgname::text
        FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = ANY (f.family)
          AND NOT t.tgisinternal
          AND t.tgenabled IN ('O', 'A')
          AND (t.tgtype & %(fires)s::integer) <> 0
        ORDER BY 1
    ) AS triggers,
    ARRAY(
        SELECT r.rulename::text
        FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class = %(target)s::oid AND r.ev_type IN ('2', '3', '4') AND r.ev_enabled <> 'D'
        ORDER BY 1
    ) AS rules,
    ARRAY(
        SELECT h.inhrelid::pg_catalog.regclass::text
        FROM pg_catalog.pg_inherits AS h
        JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid AND NOT c.relispartition
        WHERE h.inhparent = %(target)s::oid
        ORDER BY 1
    ) AS heirs,
    %(impressions)s::oid = ANY (f.family) AS impressions
FROM (
    SELECT ARRAY(
        SELECT %(target)s::oid
        UNION
        SELECT p.relid::oid FROM pg_catalog.pg_partition_tree(%(target)s::oid::pg_catalog.regclass) AS p
        UNION
        SELECT p.relid::oid
        FROM pg_catalog.pg_partition_ancestors(%(target)s::oid::pg_catalog.regclass) AS p
    ) AS family
) AS f
JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = %(target)s::oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS ty ON ty.oid = a.atttypid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = ty.typnamespace
GROUP BY f.family
