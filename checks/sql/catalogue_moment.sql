-- A moment that is an expression of the operator's over its own table: asked for no row, it is only
-- told of which type it is. In WHERE, too, where nothing is accepted that makes several rows or one
-- of several. The line breaks keep a trailing comment from swallowing the bracket.
SELECT ({moment}
)
FROM {table}
WHERE ({moment}
) IS NOT NULL
LIMIT %(none)s
