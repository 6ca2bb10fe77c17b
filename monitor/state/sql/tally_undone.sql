-- Impressions that undo took back, or a repair deleted and nobody gave back, since a moment, and a minute
-- before: a batch that had begun may not have been committed when the tally was taken. Run by run: what was
-- deleted before that moment is not there to be missed once it is given back.
SELECT coalesce(sum(greatest(o.taken, 0)), 0)::bigint AS undone
FROM (
    SELECT
        CASE WHEN r.repair IS NULL THEN r.id ELSE coalesce(r.undoes, r.id) END AS about,
        sum(CASE WHEN r.repair IS NOT NULL AND r.undoes IS NOT NULL THEN -b.inserted ELSE b.inserted END) AS taken
    FROM {state}.batch AS b
    JOIN {state}.run AS r ON r.id = b.run_id
    WHERE b.started_at > %(since)s - interval '1 minute'
      AND CASE WHEN r.repair IS NULL THEN r.kind = 'undo' ELSE (r.repair_plan ->> 'impressions')::boolean END
    GROUP BY 1
) AS o
