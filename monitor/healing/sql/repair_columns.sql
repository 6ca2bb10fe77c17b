-- What a repair's `find` returns, as the operator's query in a subselect: it can only read. Without a
-- parameter of ours, so that one of its own is refused and never takes the value of ours.
SELECT f.*
FROM (
{find}
) AS f
LIMIT 0
