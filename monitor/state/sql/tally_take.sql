-- A tally of one side, artworks or users: how many counted impressions each counted one has now,
-- written down where that differs from its newest row. Null: it is counted no longer. Those that
-- were never shown, or never saw anything, have no row.
INSERT INTO {state}.{tally} ({tally_id}, taken_at, impressions)
SELECT t.id, %(taken_at)s, t.impressions
FROM (
    WITH cte_everybody AS {leaf} (
        SELECT o.id FROM {others} AS o
    ),
    cte_shown AS {leaf} (
        {shown}
    ),
    cte_counted AS {leaf} (
        SELECT c.id FROM {counted} AS c
    ),
    cte_before AS {leaf} (
        SELECT DISTINCT ON (t.{tally_id}) t.{tally_id} AS id, t.impressions
        FROM {state}.{tally} AS t
        ORDER BY t.{tally_id}, t.taken_at DESC
    ),
    cte_found AS {leaf} (
        SELECT c.id, coalesce(shown.impressions, 0) AS impressions
        FROM cte_counted AS c
        LEFT JOIN cte_shown AS shown ON shown.id = c.id
    )
    SELECT coalesce(found.id, before.id) AS id, found.impressions
    FROM cte_found AS found
    FULL JOIN cte_before AS before ON before.id = found.id
    WHERE found.impressions IS DISTINCT FROM before.impressions
      AND (before.id IS NOT NULL OR found.impressions > 0)
) AS t
