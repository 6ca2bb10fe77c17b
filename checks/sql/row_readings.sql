-- How many rows say what in the columns that tell whether a row counts: one pass, one group for each
-- combination of the readings. Where there are more groups than asked for, a column isn't one of few
-- values.
SELECT count(*) AS number, {readings}
FROM {table}
WHERE ({filter}
)
GROUP BY {positions}
LIMIT %(groups)s
