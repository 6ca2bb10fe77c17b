-- One key that is there several times, if any. Nulls are no key.
SELECT 1
FROM {table}
WHERE ({filter}
) AND ({columns}) IS NOT NULL
GROUP BY {columns}
HAVING count(*) > 1
LIMIT 1
