-- Affected users that will have fewer unseen fresh and storage artworks than the minimum once their
-- legacy ones are marked as seen. A full join, so that neither is counted once for each of the other.
SELECT count(*) FILTER (
    WHERE affected.legacy > 0 AND pool.artworks - pool.seen < %(minimum)s
) AS users
FROM ({pools}) AS pool
FULL JOIN ({affected_users}) AS affected ON affected.user_id = pool.user_id
