-- What was built.
SELECT
    (SELECT count(*) FROM users) AS users,
    (SELECT count(*) FROM art_sessions) AS artworks,
    (SELECT count(*) FROM user_art_impressions) AS impressions,
    pg_database_size(current_database()) AS bytes
