-- As it was before visit_pages.
SELECT
    pg_catalog.set_config('enable_sort', %(enable_sort)s, true) AS enable_sort,
    pg_catalog.set_config('random_page_cost', %(random_page_cost)s, true) AS random_page_cost,
    pg_catalog.set_config('max_parallel_workers_per_gather', %(workers)s, true) AS workers,
    pg_catalog.set_config('work_mem', %(work_mem)s, true) AS work_mem
