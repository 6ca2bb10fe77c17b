-- The operator's expression for a column, among what it may read: to be explained, never run. In the
-- plan's text its constants are written out as what they mean, a sequence by its name.
SELECT {value}
FROM {pair}
WHERE %(none)s::integer = 1
