-- Pairs of the window's runs that had appeared behind the last verified heal.
SELECT coalesce(sum(r.recurring), 0)::bigint AS pairs
FROM {state}.run AS r
WHERE r.kind = 'heal' AND r.started_at > now() - %(window)s
