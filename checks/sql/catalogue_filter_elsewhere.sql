-- What else the operator's filter reads, asked of a row that is not there: with row security off,
-- PostgreSQL refuses another table that hides rows from this role. Of the filter's own table, whose
-- policies show every row, nothing is read.
SELECT 1
FROM (SELECT (NULL::{table}).*) AS {name}
WHERE ({filter}
)
LIMIT %(none)s
