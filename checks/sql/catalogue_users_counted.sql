-- Users that the operator's filter admits.
SELECT count(*)
FROM {table}
WHERE ({filter}
)
