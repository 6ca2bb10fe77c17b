-- Every column of one relation, with the type seen through domains.
--
-- The name to cast to is that of the base type without its length: a cast to varchar(3), or to a
-- domain over it, would cut an id short instead of finding nothing, and a domain's CHECK would
-- raise. format_type(..., -1) says bpchar where format_type(..., NULL) says character, which is
-- character(1). Types of extensions and users are qualified: search_path may differ elsewhere.
-- A domain's collation is its columns'.
WITH RECURSIVE cte_declared AS (
    SELECT a.*
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = %(relation)s::oid AND a.attnum > 0 AND NOT a.attisdropped
), cte_unwrapped AS (
    SELECT d.attnum, t.oid AS type, t.typtype, t.typbasetype, t.typnotnull AS not_null,
           t.typdefault IS NOT NULL AS has_default
    FROM cte_declared AS d
    JOIN pg_catalog.pg_type AS t ON t.oid = d.atttypid
    UNION ALL
    SELECT u.attnum, t.oid, t.typtype, t.typbasetype, u.not_null OR t.typnotnull,
           u.has_default
    FROM cte_unwrapped AS u
    JOIN pg_catalog.pg_type AS t ON t.oid = u.typbasetype
    WHERE u.typtype = 'd'
)
SELECT
    d.attname::text AS name,
    pg_catalog.format_type(d.atttypid, d.atttypmod) AS type,
    CASE
        WHEN n.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, -1)
        ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname)
    END AS "cast",
    -- PostgreSQL 18 lets NOT NULL be NOT VALID: then old rows may still be null.
    (d.attnotnull OR base.not_null) AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS con
        WHERE con.conrelid = d.attrelid
          AND con.contype = 'n'
          AND con.conkey = ARRAY[d.attnum]
          AND NOT con.convalidated
    ) AS not_null,
    (d.atthasdef OR d.attidentity <> '' OR base.has_default) AS has_default,
    (d.attnotnull OR base.not_null)
        AND NOT (d.atthasdef OR d.attidentity <> '' OR base.has_default) AS required,
    (d.attgenerated <> '' OR d.attidentity = 'a') AS generated,
    CASE WHEN d.attgenerated = '' THEN (
        SELECT pg_catalog.pg_get_expr(def.adbin, def.adrelid)
        FROM pg_catalog.pg_attrdef AS def
        WHERE def.adrelid = d.attrelid AND def.adnum = d.attnum
    ) END AS "default",
    d.atttypid::bigint AS oid,
    t.oid::bigint AS base_oid,
    d.attcollation::bigint AS collation_oid,
    CASE WHEN d.attcollation NOT IN (0, t.typcollation) THEN (
        SELECT pg_catalog.quote_ident(own.nspname) || '.' || pg_catalog.quote_ident(co.collname)
        FROM pg_catalog.pg_collation AS co
        JOIN pg_catalog.pg_namespace AS own ON own.oid = co.collnamespace
        WHERE co.oid = d.attcollation
    ) END AS "collation",
    t.typcategory::text AS category,
    t.oid = 'pg_catalog.timestamptz'::pg_catalog.regtype AS has_time_zone,
    t.typtype IN ('e', 'r', 'm') OR t.typcategory = 'A' OR EXISTS (
        SELECT FROM pg_catalog.pg_opclass AS oc
        JOIN pg_catalog.pg_am AS am ON am.oid = oc.opcmethod
        WHERE am.amname = 'btree'
          AND oc.opcdefault
          AND (oc.opcintype = t.oid OR EXISTS (
              -- varchar sorts as text, regclass as oid: binary-coercible, as the parser does it.
              SELECT FROM pg_catalog.pg_cast AS pc
              WHERE pc.castsource = t.oid
                AND pc.casttarget = oc.opcintype
                AND pc.castmethod = 'b'
                AND pc.castcontext = 'i'
          ))
    ) AS orderable
FROM cte_declared AS d
JOIN cte_unwrapped AS base ON base.attnum = d.attnum AND base.typtype <> 'd'
JOIN pg_catalog.pg_type AS t ON t.oid = base.type
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
ORDER BY d.attnum
