-- Where something else is counted than before: losses are measured from the next tally on, and
-- nothing of it was ever healed. A row from before this was kept is taken for the present settings.
UPDATE {state}.control
SET tallied = %(tallied)s::jsonb,
    tally_base_at = CASE WHEN tallied IS NULL THEN tally_base_at END,
    verified_until = CASE WHEN tallied IS NULL THEN verified_until END,
    verified_at = CASE WHEN tallied IS NULL THEN verified_at END
WHERE tallied IS DISTINCT FROM %(tallied)s::jsonb
