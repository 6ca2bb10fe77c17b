-- The sequences that a new impression draws from: behind identity columns, behind defaults, and those
-- that the operator's expressions name. Columns that the insert fills itself never reach their
-- default. nextval() in a default runs with the rights of whoever inserts; identity columns need
-- none. How far a sequence is tells no more than has been drawn: null also before the first.
WITH cte_drawn AS (
    SELECT a.attname::text AS column_name, dep.objid AS sequence, TRUE AS identity, 1 AS draws
    FROM pg_catalog.pg_depend AS dep
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = dep.refobjid AND a.attnum = dep.refobjsubid
    WHERE dep.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND dep.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND dep.refobjid = %(relation)s::oid
      AND dep.deptype = 'i'
      AND a.attidentity <> ''
      AND NOT a.attname = ANY(%(written)s::text[])
    UNION ALL
    SELECT a.attname::text, dep.refobjid, FALSE, 1
    FROM pg_catalog.pg_attrdef AS def
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = def.adrelid AND a.attnum = def.adnum
    JOIN pg_catalog.pg_depend AS dep
        ON dep.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
       AND dep.objid = def.oid
       AND dep.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    WHERE def.adrelid = %(relation)s::oid AND NOT a.attname = ANY(%(written)s::text[])
    UNION ALL
    SELECT named.column_name, pg_catalog.to_regclass(named.sequence)::oid, FALSE, count(*)::integer
    FROM unnest(%(columns)s::text[], %(sequences)s::text[]) AS named (column_name, sequence)
    GROUP BY 1, 2
)
SELECT
    d.column_name AS "column",
    n.nspname::text AS schema,
    s.relname::text AS name,
    d.identity,
    d.draws,
    d.identity OR pg_catalog.has_sequence_privilege(s.oid, 'USAGE, UPDATE') AS may_advance,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_sequence_privilege(s.oid, 'SELECT') AS may_read,
    q.seqincrement AS increment,
    q.seqmin AS least,
    q.seqmax AS most,
    q.seqstart AS start,
    q.seqcycle AS cycles,
    CASE
        WHEN pg_catalog.has_sequence_privilege(s.oid, 'SELECT, USAGE')
        THEN pg_catalog.pg_sequence_last_value(s.oid)
    END AS reached
FROM cte_drawn AS d
JOIN pg_catalog.pg_class AS s ON s.oid = d.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
ORDER BY 1, 2, 3
