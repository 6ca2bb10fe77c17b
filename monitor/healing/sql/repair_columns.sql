-- What a repair's `find` returns, as the operator's query in a subselect: it can only read. Nothing is bound, so
-- that a parameter of its own (`$1`) is refused here, and never takes one of ours.
SELECT f.*
FROM (
{find}
) AS f
LIMIT 0
