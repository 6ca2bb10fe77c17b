-- The operator's query as a subselect: it can only read, be one statement, and bring as many rows
-- as are needed to see that there is more than one. The bound limit matters: a statement with a
-- parameter goes through the protocol that refuses a second one behind a semicolon.
SELECT own.*
FROM (
{query}
) AS own
LIMIT %(rows)s
