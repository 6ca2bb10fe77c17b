-- Does every row that the premise admits satisfy the claim? PostgreSQL's planner knows, where it
-- plans to read nothing at all because the two contradict each other. The claim may name a value,
-- which sees no column of the table. To be explained, never run; the bound limit forbids a second
-- statement.
SELECT
FROM {table}, (SELECT {value} AS "catalog.value") AS "catalog.fixed"
WHERE {premise} AND ({claim}) IS NOT TRUE
LIMIT %(one)s
