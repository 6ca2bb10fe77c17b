-- A part of the statements that change or delete: the rows that are there, as this statement sees them.
SELECT n.*, t.tableoid AS part, t.ctid AS place, t.xmin AS writer, {row} AS before
FROM cte_named AS n
JOIN {target} AS t ON {row_is_named}
WHERE {as_frozen}
