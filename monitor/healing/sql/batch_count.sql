-- Adds a batch to the totals: the last statement before its commit, because other writers wait for
-- these rows. `sum` and `bucket` name the histogram of its seconds, whose bounds are those of
-- `bounds`, in order; null: none is kept.
INSERT INTO {state}.counter AS c (name, label, value)
SELECT t.name, t.label, t.value
FROM (
    SELECT w.name, w.label, w.value
    FROM unnest(%(names)s::text[], %(labels)s::text[], %(values)s::float8[]) AS w (name, label, value)
    UNION ALL
    SELECT o.name, o.label, o.value
    FROM {state}.batch AS b
    CROSS JOIN LATERAL (
        SELECT u.bound
        FROM unnest(%(bounds)s::text[]) WITH ORDINALITY AS u (bound, place)
        WHERE b.seconds <= u.bound::float8
        ORDER BY u.place
        LIMIT 1
    ) AS f
    CROSS JOIN LATERAL (
        VALUES
        (%(rows)s::text, %(label)s::text, b.inserted::float8),
        (%(sum)s::text, '', b.seconds),
        (%(bucket)s::text, f.bound, 1)
    ) AS o (name, label, value)
    WHERE b.run_id = %(run_id)s AND b.number = %(number)s AND o.name IS NOT NULL
) AS t
ORDER BY t.name, t.label
ON CONFLICT (name, label) DO UPDATE SET value = c.value + excluded.value
