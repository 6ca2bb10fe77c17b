-- The censuses of a span, thinned to one of each of so many equal parts: that with the most legacy
-- pairs, so that no incident is too short to be seen. The span begins with its first census, so
-- that a young history fills it. Read by the index on as_of: as many rows as the span has censuses.
SELECT DISTINCT ON (width_bucket(c.epoch, c.first_epoch, c.last_epoch, %(parts)s))
    c.as_of, c.tracked, c.fresh, c.storage, c.legacy_untracked
FROM (
    SELECT
        s.as_of, s.tracked, s.fresh, s.storage, s.legacy_untracked,
        extract(epoch FROM s.as_of)::float8 AS epoch,
        extract(epoch FROM f.as_of)::float8 AS first_epoch,
        -- One second of room: the bounds must differ.
        extract(epoch FROM greatest(now(), f.as_of))::float8 + 1 AS last_epoch
    FROM (
        SELECT o.as_of
        FROM {state}.census AS o
        WHERE o.as_of >= now() - %(span)s
        ORDER BY o.as_of
        LIMIT 1
    ) AS f
    JOIN {state}.census AS s ON s.as_of >= now() - %(span)s
) AS c
ORDER BY
    width_bucket(c.epoch, c.first_epoch, c.last_epoch, %(parts)s),
    c.legacy_untracked DESC, c.as_of DESC
