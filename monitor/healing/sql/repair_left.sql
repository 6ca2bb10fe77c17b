-- The verification of a repair: how many of its frozen keys `find` still names.
SELECT count(DISTINCT w.position) AS left_over
FROM (
{find}
) AS f
JOIN (
    {due}
) AS w ON {found_is_asked}
