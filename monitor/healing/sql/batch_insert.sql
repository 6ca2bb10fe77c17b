-- THE statement that writes user data: the impressions that a window of the work list misses, and
-- their ledger rows, together. Audience, filters and ages are judged anew, so that only pairs that
-- are legacy_untracked at this moment are written, and no more of a user than was planned, whatever
-- was imported or lost since. The rank also keeps the planner from flattening the lateral subquery
-- into a join over all impressions (a LIMIT would, too, but makes it expect few rows and probe for
-- each); the legacy artworks are read once, not once a user. The last order keeps two writers from
-- deadlock, and by artwork first it goes through that index and its foreign key page by page.
WITH legacy_artwork AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
missing AS MATERIALIZED (
    SELECT u.id AS user_id, m.id AS artwork_id
    FROM {state}.work AS w
    JOIN {counted_users} AS u ON u.id = w.user_id
    CROSS JOIN LATERAL (
        SELECT a.id, row_number() OVER ({cursor_order}) AS rank
        FROM legacy_artwork AS a
        WHERE {not_before_user}
          AND {is_owned}
          AND {after_cursor}
          AND NOT EXISTS (
              SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
          )
        {part}
    ) AS m
    WHERE w.run_id = %(run_id)s
      AND w.position > %(position)s
      AND w.position <= %(until)s
      AND {in_audience}
      AND m.rank <= {user_limit}
),
written AS (
    INSERT INTO {impressions} ({columns})
    SELECT {values}
    FROM missing AS m
    ORDER BY m.artwork_id, m.user_id
    ON CONFLICT ({user}, {artwork}) DO NOTHING
    RETURNING {user} AS user_id, {artwork} AS artwork_id, {viewed_at} AS viewed_at
),
listed AS (
    INSERT INTO {state}.backfilled_impression (run_id, user_id, artwork_id, viewed_at)
    SELECT %(run_id)s, written.user_id, written.artwork_id, written.viewed_at
    FROM written
    -- In the order of its key, so that the ledger only ever grows at its end.
    ORDER BY written.user_id, written.artwork_id
    -- An impression that this run wrote before and that has vanished since.
    ON CONFLICT (run_id, user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
    RETURNING 1
)
SELECT
    (SELECT count(*) FROM listed) AS inserted,
    (SELECT count(*) FROM missing) AS missing,
    (SELECT m.artwork_id FROM missing AS m ORDER BY m.artwork_id DESC LIMIT 1) AS last_artwork
