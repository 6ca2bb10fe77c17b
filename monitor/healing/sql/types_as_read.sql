-- Whether the columns of the app that are compared and written still have the types and
-- collations that they had when the tables were read, and ours the same: else one moment could be
-- taken for another. What is not there at all is for the statements themselves to say.
SELECT NOT EXISTS (
    SELECT 1
    FROM (VALUES {types_read}) AS r (relation, name, type, collation_oid)
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = pg_catalog.to_regclass(r.relation)
       AND a.attname = r.name
       AND NOT a.attisdropped
    WHERE (a.atttypid, a.attcollation) <> (r.type::oid, r.collation_oid::oid)
) AS types_as_read
