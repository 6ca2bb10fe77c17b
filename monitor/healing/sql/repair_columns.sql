-- What a repair's `find` returns, as the operator's query in a subselect: it can only read. The bound
-- limit matters: a statement with a parameter goes through the protocol that refuses a second one.
SELECT f.*
FROM (
{find}
) AS f
LIMIT %(none)s
