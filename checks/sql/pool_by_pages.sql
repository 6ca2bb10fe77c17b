-- For the rest of the transaction: each page that an index finds is visited once, in the order of the
-- table, and so costs no more than any other. By one process: several would keep what they remember
-- in shared memory, of which the system may have little (64 MB in a container).
SELECT
    pg_catalog.set_config('enable_indexscan', 'off', true),
    pg_catalog.set_config('random_page_cost', '1', true),
    pg_catalog.set_config('max_parallel_workers_per_gather', '0', true)
