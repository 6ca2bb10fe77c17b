-- How many rows a table has.
SELECT count(*) AS rows FROM {target} AS t
