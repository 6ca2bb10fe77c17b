-- The clock of the server that we are connected to.
SELECT pg_catalog.now() AS now
