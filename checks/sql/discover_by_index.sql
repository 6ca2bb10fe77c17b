-- For the rest of the savepoint: ids are looked up in an index wherever there is one, and no large
-- table is read for a join with a sample.
SELECT pg_catalog.set_config('enable_seqscan', 'off', true)
