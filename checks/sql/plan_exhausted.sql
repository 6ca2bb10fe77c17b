-- Affected users that will have fewer unseen fresh and storage artworks than the minimum once their
-- legacy ones are marked as seen.
SELECT count(*) AS users
FROM ({pools}) AS pool
JOIN ({affected_users}) AS affected ON affected.user_id = pool.user_id
WHERE pool.artworks - pool.seen < %(minimum)s
