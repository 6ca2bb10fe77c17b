-- For the rest of the savepoint: a function that would write, or advance a sequence, is refused.
SELECT pg_catalog.set_config('transaction_read_only', 'on', true)
