-- The operator's expression for a column: to be explained, never run. In the plan's text its
-- constants are written out as what they mean, a sequence by its name.
SELECT ({expression}
)
WHERE %(none)s::integer = 1
