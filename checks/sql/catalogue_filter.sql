-- Does the operator's filter run on its table, as this role? The line break keeps a trailing
-- comment in it from swallowing the bracket, and the bound limit forbids a second statement.
SELECT 1
FROM {table}
WHERE ({filter}
)
LIMIT %(none)s
