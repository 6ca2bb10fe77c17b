-- Is there an operator? Parsing and planning tell; no row is read. Each column by itself and limited,
-- because Citus joins no tables that don't lie together, and joins results whatever they are of.
SELECT 1
FROM (SELECT {left_column} AS value FROM {left} LIMIT %(none)s) AS l
JOIN (SELECT {right_column} AS value FROM {right} LIMIT %(none)s) AS r ON l.value = r.value
LIMIT %(none)s
