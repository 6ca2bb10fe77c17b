-- Whether a moment that is an expression can be worked out for every row that counts.
SELECT count({moment})
FROM {rows} AS r
