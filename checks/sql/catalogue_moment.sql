-- A moment that is an expression of the operator's over its own table: asked for no row, it is only
-- told of which type it is. The line break keeps a trailing comment from swallowing the bracket.
SELECT ({moment}
)
FROM {table}
LIMIT %(none)s
