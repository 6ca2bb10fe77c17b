-- All of `find`, to be explained.
SELECT f.*
FROM (
{find}
) AS f
