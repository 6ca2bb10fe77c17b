-- How many users are affected, and their legacy pairs: the second must equal the census.
SELECT count(*) AS affected, coalesce(sum(affected.legacy), 0)::bigint AS legacy
FROM ({affected_users}) AS affected
