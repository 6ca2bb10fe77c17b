-- A part of other statements, where `find` is not asked again: the keys with the values that were
-- frozen with them.
SELECT w.position, w.key, w.version, {asked_names}{frozen_values}
FROM cte_asked AS w
