-- For the rest of the transaction: each page that an index finds is visited once, in the order of the
-- table, and so costs no more than any other; so many bytes at least to remember these pages. By one
-- process: several would share that memory, of which the system may have little (64 MB in a
-- container).
SELECT
    pg_catalog.set_config('enable_indexscan', 'off', true),
    pg_catalog.set_config('random_page_cost', '1', true),
    pg_catalog.set_config('max_parallel_workers_per_gather', '0', true),
    CASE
        WHEN pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')) < %(bytes)s::bigint
        THEN pg_catalog.set_config('work_mem', %(bytes)s::bigint / 1024 + 1 || 'kB', true)
    END
