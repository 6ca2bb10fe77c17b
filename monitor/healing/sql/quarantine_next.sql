-- The pair that a batch of one would write next; no row where the user misses none any more.
SELECT m.user_id, m.artwork_id FROM (
    {missing_pairs}
) AS m
