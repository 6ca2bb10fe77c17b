-- Opens a batch that travels in one trip with what it writes: nobody looks at the answer before the
-- commit. So it fails where the run does not stand as the batch before it has left it, or something
-- has been switched; and what is sent behind it is then not carried out.
WITH cte_start AS (
    {batch_begin}
)
SELECT s.*
FROM (
    SELECT count(*) = 1 AS foreseen
    FROM cte_start AS f
    WHERE f.position = %(position)s
      AND f.batches = %(batches)s
      -- The window was judged by this clock, about.
      AND f.now BETWEEN %(now)s - interval '2 s' AND %(now)s + interval '2 s'
      AND f.artwork_cursor IS NULL
      AND f.quarantine = %(quarantine)s
      AND f.triggers = '{{}}'
      AND f.types_as_read
      AND NOT f.paused
      AND NOT f.breaker_open
) AS c
LEFT JOIN cte_start AS s ON TRUE
-- The text is no boolean: 22P02, in words for whoever reads the server's log.
WHERE CASE WHEN c.foreseen THEN 'true' ELSE 'run ' || %(run_id)s || ' has moved on' END::boolean
