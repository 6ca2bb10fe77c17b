-- Whether anything of a run can be taken back: one impression that is still as the run wrote it. Looked
-- up by the pair's index, one after the other: almost always the first one is, and a join that begins
-- with a whole table would have read it for that.
SELECT
    EXISTS (
        SELECT FROM {state}.backfilled_impression AS b
        CROSS JOIN LATERAL (
            SELECT FROM {impressions} AS i
            WHERE i.{user} = b.user_id
              AND i.{artwork} = b.artwork_id
              AND (i.{viewed_at} = b.viewed_at) IS TRUE
            LIMIT 1
        ) AS untouched
        WHERE b.run_id = %(undoes)s
    ) AS something,
    EXISTS (
        SELECT FROM {state}.backfilled_impression AS b WHERE b.run_id = %(undoes)s
    ) AS listed
