-- For the rest of the transaction or savepoint: what is looked for is looked up in an index wherever
-- there is one, and no large table is read for few rows of it.
SELECT pg_catalog.set_config('enable_seqscan', 'off', true)
