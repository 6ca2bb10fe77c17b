-- How many users are affected, and their legacy pairs: the second must equal the census. Who they
-- are, where few are expected.
SELECT
    count(*) AS affected,
    coalesce(sum(affected.legacy), 0)::bigint AS legacy,
    {named} AS named
FROM ({affected_users}) AS affected
