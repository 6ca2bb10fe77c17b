-- The verification of a repair: how many of its frozen keys `find` still names.
SELECT count(DISTINCT w.position) AS left_over
FROM (
{find}
) AS f
JOIN (
    SELECT k.position, {asked_key} FROM {state}.repair_work AS k WHERE k.run_id = %(run_id)s
) AS w ON {found_is_asked}
