-- Those of the pairs that were listed before that are legacy still.
SELECT p.user_id, p.artwork_id, p.created_at
FROM (
    {quarantined_pairs}
) AS p
WHERE p.in_audience
