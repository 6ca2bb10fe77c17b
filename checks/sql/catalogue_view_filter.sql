-- What a view leaves out, as PostgreSQL plans to: in the columns of the table beneath it. Nothing is
-- run, and the bound limit forbids a second statement.
EXPLAIN (FORMAT JSON, COSTS OFF)
SELECT FROM {table}
LIMIT %(one)s
