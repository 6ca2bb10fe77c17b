-- From now on no page costs more than any other, as where an index finds what is visited in the order
-- of the table; %(bytes)s are enough to remember it. By one process: several would keep what they
-- remember in shared memory, of which the system may have little (64 MB in a container). What is
-- found is grouped by a hash: next to so many pages a sort seems to cost nothing. Where that is not
-- %(forced)s, only the memory is set. Returns what was set before.
WITH cte_before AS MATERIALIZED (
    SELECT
        pg_catalog.current_setting('random_page_cost') AS random_page_cost,
        pg_catalog.current_setting('enable_sort') AS enable_sort,
        pg_catalog.current_setting('max_parallel_workers_per_gather') AS workers,
        pg_catalog.current_setting('work_mem') AS work_mem
)
SELECT
    before.*,
    CASE WHEN %(forced)s THEN pg_catalog.set_config('random_page_cost', '1', true) END
        AS page_cost_now,
    CASE WHEN %(forced)s THEN pg_catalog.set_config('enable_sort', 'off', true) END AS sort_now,
    CASE WHEN %(forced)s THEN pg_catalog.set_config('max_parallel_workers_per_gather', '0', true) END
        AS workers_now,
    CASE
        WHEN pg_catalog.pg_size_bytes(before.work_mem) < %(bytes)s::bigint
            THEN pg_catalog.set_config('work_mem', %(bytes)s::bigint / 1024 + 1 || 'kB', true)
    END AS work_mem_now
FROM cte_before AS before
