-- Where the time went: what a run waited, by reason.
INSERT INTO {state}.run_wait AS w (run_id, reason, seconds)
SELECT %(run_id)s, t.reason, t.seconds
FROM unnest(%(reasons)s::text[], %(seconds)s::float8[]) AS t (reason, seconds)
ON CONFLICT (run_id, reason) DO UPDATE SET seconds = w.seconds + excluded.seconds
