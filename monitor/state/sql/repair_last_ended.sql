-- By repair: how many seconds ago it, or an undo of it, last ended, and how many a run of it that
-- had started by itself; and the newest run of it, which says whose turn it is.
SELECT
    n.name AS repair, c.age AS changed_age, coalesce(c.id, 0) AS changed_run,
    a.age AS automatic_age, coalesce(l.id, 0) AS newest_run
FROM unnest(%(names)s::text[]) WITH ORDINALITY AS n (name, place)
LEFT JOIN LATERAL (
    SELECT r.id, extract(epoch FROM now() - r.finished_at)::float8 AS age
    FROM {state}.run AS r
    WHERE r.repair = n.name AND r.finished_at IS NOT NULL
    ORDER BY r.id DESC
    LIMIT 1
) AS c ON TRUE
LEFT JOIN LATERAL (
    SELECT extract(epoch FROM now() - r.finished_at)::float8 AS age
    FROM {state}.run AS r
    WHERE r.repair = n.name AND r.finished_at IS NOT NULL
      AND r.undoes IS NULL AND r.trigger = 'schedule'
    ORDER BY r.id DESC
    LIMIT 1
) AS a ON TRUE
LEFT JOIN LATERAL (
    SELECT r.id
    FROM {state}.run AS r
    WHERE r.repair = n.name AND r.undoes IS NULL
    ORDER BY r.id DESC
    LIMIT 1
) AS l ON TRUE
ORDER BY n.place
