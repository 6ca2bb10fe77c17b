-- At least so many bytes for each step of what follows in this transaction.
SELECT pg_catalog.set_config('work_mem', %(bytes)s::bigint / 1024 + 1 || 'kB', true)
WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem')) < %(bytes)s::bigint
