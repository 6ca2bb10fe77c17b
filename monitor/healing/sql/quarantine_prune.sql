-- Pairs that need no healing any more: seen or healed meanwhile, user or artwork gone or no longer
-- counted.
DELETE FROM {state}.quarantine AS q
WHERE NOT EXISTS (
    SELECT 1
    FROM (
        {quarantined_pairs}
    ) AS p
    WHERE p.user_id = q.user_id AND p.artwork_id = q.artwork_id
)
