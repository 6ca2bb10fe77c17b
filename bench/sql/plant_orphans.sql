-- Users who left the app without their impressions, which nothing takes along any more.
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey;
DELETE FROM users
WHERE id IN (
    SELECT u.id
    FROM (
        SELECT s.id, sum(count(i.id)) OVER (ORDER BY s.id) - count(i.id) AS before
        FROM users AS s
        JOIN user_art_impressions AS i ON i.user_id = s.id
        GROUP BY s.id
    ) AS u
    WHERE u.before < {rows}
)
