-- A foreign key that refers to the relation, if any.
SELECT con.conname::text AS name
FROM pg_catalog.pg_constraint AS con
WHERE con.confrelid = %(relation)s::oid AND con.contype = 'f'
LIMIT 1
