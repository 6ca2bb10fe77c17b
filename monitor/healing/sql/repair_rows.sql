-- How many rows a table has, as far as that matters.
SELECT count(*) AS rows FROM (SELECT 1 FROM {target} AS t LIMIT %(enough)s) AS counted
