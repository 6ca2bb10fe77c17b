-- The database around the tables, and whether the service may keep its own schema there.
SELECT
    current_database()::text AS database,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    -- The default and not transaction_read_only: checks may well run read-only by intent.
    pg_catalog.current_setting('default_transaction_read_only')::boolean AS read_only,
    n.oid IS NOT NULL AS state_schema_exists,
    COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false) AS can_use_state_schema,
    pg_catalog.has_database_privilege(current_database(), 'CREATE') AS can_create_schema,
    pg_catalog.current_setting('server_encoding') AS encoding
FROM (SELECT) AS one
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = %(state_schema)s
