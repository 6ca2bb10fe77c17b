-- One relation in the chain from a view to the table beneath it: what it selects as PostgreSQL stores
-- it, what it lets through by itself, and what the role lacks by whose rights it is read (null: the
-- connected one). Rules and INSTEAD OF triggers take the place of what would be written.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    c.relowner::bigint AS owner,
    COALESCE((
        SELECT bool_or(o.option_value::boolean)
        FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
        WHERE o.option_name = 'security_invoker'
    ), false) AS by_invoker,
    pg_catalog.pg_relation_is_updatable(c.oid, false) AS events,
    (
        SELECT r.ev_action::text FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class = c.oid AND r.ev_type = '1' AND c.relkind = 'v'
    ) AS selected,
    ARRAY(
        SELECT r.rulename::text FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class = c.oid AND r.ev_type <> '1' AND r.ev_enabled <> 'D'
        ORDER BY 1
    ) AS rules,
    ARRAY(
        SELECT t.tgname::text FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = c.oid AND (t.tgtype & 64) <> 0 -- TRIGGER_TYPE_INSTEAD
        ORDER BY 1
    ) AS instead,
    (
        SELECT jsonb_object_agg(a.attnum, a.attname)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS columns,
    (
        SELECT COALESCE(
            jsonb_object_agg(d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), '{}'
        )
        FROM pg_catalog.pg_attrdef AS d
        WHERE d.adrelid = c.oid AND c.relkind = 'v'
    ) AS defaults,
    reader.name AS reader,
    ARRAY(
        SELECT k.privilege
        FROM (VALUES ('INSERT'), ('UPDATE'), ('DELETE')) AS k (privilege)
        WHERE NOT CASE k.privilege
            WHEN 'DELETE' THEN pg_catalog.has_table_privilege(reader.name, c.oid, k.privilege)
            ELSE pg_catalog.has_any_column_privilege(reader.name, c.oid, k.privilege)
        END
    ) AS lacks
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT COALESCE(pg_catalog.pg_get_userbyid(%(reader)s::oid), current_user)::name AS name
) AS reader
WHERE c.oid = %(relation)s::oid
