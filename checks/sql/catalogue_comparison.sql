-- Is there an operator? Parsing and planning tell; no row is read.
SELECT 1
FROM {left} AS l
JOIN {right} AS r ON l.{left_column} = r.{right_column}
LIMIT %(none)s
