-- How many users the impressions name, counted.
SELECT count(*)
FROM (
    SELECT DISTINCT {user}
    FROM {table}
) AS named
