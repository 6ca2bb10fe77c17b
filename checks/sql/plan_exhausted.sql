-- The end of every form of pool_exhaustion, for a plan: affected users that will have fewer unseen
-- fresh and storage artworks than the minimum once their legacy ones are marked as seen.
SELECT count(*) AS users
FROM member AS m
JOIN ({affected_users}) AS affected ON affected.user_id = m.user_id
WHERE m.pool - m.seen < %(minimum)s
