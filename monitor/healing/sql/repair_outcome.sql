-- A part of the statements that mend: what has become of the batch. `changed` without `listed` is a row
-- that a trigger gave another key; `doubled` are keys that `find` names more than once.
SELECT
    (SELECT count(*) FROM cte_listed) AS listed,
    (SELECT count(*) FROM {changed}) AS changed,
    (SELECT count(*) - count(DISTINCT n.position) FROM cte_named AS n) AS doubled
