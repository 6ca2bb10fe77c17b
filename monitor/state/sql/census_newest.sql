-- The newest census, and the newest count of affected users, which is taken more rarely; ages in
-- seconds on the database's clock.
SELECT
    c.as_of, c.form, c.tracked, c.fresh, c.storage, c.legacy_untracked, c.appeared,
    c.legacy_artworks, c.oldest_legacy_created, c.audience, c.users,
    c.seconds AS duration_seconds,
    extract(epoch FROM now() - c.as_of)::float8 AS age,
    u.as_of AS users_as_of, u.users_affected, u.users_clear, u.users_seconds,
    extract(epoch FROM now() - u.as_of)::float8 AS users_age
FROM (SELECT * FROM {state}.census ORDER BY as_of DESC, id DESC LIMIT 1) AS c
LEFT JOIN LATERAL (
    SELECT * FROM {state}.census
    WHERE users_affected IS NOT NULL
    ORDER BY as_of DESC, id DESC
    LIMIT 1
) AS u ON TRUE
