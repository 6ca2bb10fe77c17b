-- Row security on or off, for the rest of the transaction: off means that a statement is refused
-- whose rows it would hide.
SELECT pg_catalog.set_config('row_security', %(value)s, true)
