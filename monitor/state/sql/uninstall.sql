-- Drops the service's own tables, the ledger among them.
DROP SCHEMA {state} CASCADE
