-- Sequences that defaults of the relation advance and the role may not: nextval() runs with the
-- rights of whoever inserts. Identity columns need no such right and have no pg_attrdef row.
-- Columns that the insert fills itself never reach their default.
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) AS sequence
FROM pg_catalog.pg_attrdef AS def
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = def.adrelid AND a.attnum = def.adnum
JOIN pg_catalog.pg_depend AS dep
    ON dep.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
   AND dep.objid = def.oid
   AND dep.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class AS s ON s.oid = dep.refobjid AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.relnamespace
WHERE def.adrelid = %(relation)s::oid
  AND NOT a.attname = ANY(%(written)s::text[])
  -- CASE, because the planner may ask this of a table before it looks at relkind.
  AND CASE
          WHEN s.relkind = 'S'
          THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'USAGE, UPDATE')
          ELSE false
      END
ORDER BY 1
