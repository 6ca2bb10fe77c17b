-- A part of other statements: of the keys asked for, those that `find` still names, with new values.
SELECT w.position, w.key, w.version, {asked_names}{found_values}
FROM (
{find}
) AS f
JOIN cte_asked AS w ON {found_is_asked}
