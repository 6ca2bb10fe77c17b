-- Whether the columns of the app that are compared and written still have the types that they had
-- when the tables were read, and ours the same: else a moment could be taken for another.
SELECT NOT EXISTS (
    SELECT 1
    FROM (VALUES {types_read}) AS r (relation, name, type)
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = pg_catalog.to_regclass(r.relation)
       AND a.attname = r.name
       AND NOT a.attisdropped
    WHERE a.atttypid IS DISTINCT FROM r.type::oid
) AS types_as_read
