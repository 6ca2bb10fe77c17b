-- One row a planted pair that is healed and verified: when it became legacy, when the census before
-- the run counted, and when the run ended.
SELECT
    extract(epoch FROM timezone('UTC', a.created_at + interval '7 days')) AS legacy_at,
    extract(epoch FROM counted.as_of) AS counted_at,
    extract(epoch FROM r.finished_at) AS verified_at
FROM unnest(%(users)s::text[], %(artworks)s::text[]) AS p (user_id, artwork_id)
JOIN conservator.backfilled_impression AS b
    ON b.user_id = p.user_id AND b.artwork_id = p.artwork_id
JOIN conservator.run AS r ON r.id = b.run_id AND r.state = 'succeeded'
JOIN art_sessions AS a ON a.id = p.artwork_id
CROSS JOIN LATERAL (
    SELECT max(c.as_of) AS as_of FROM conservator.census AS c WHERE c.as_of <= r.started_at
) AS counted
