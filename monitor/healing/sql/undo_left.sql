-- Whether anything of a run can be taken back: one impression that is still as the run wrote it.
SELECT EXISTS (
    SELECT 1
    FROM {state}.backfilled_impression AS b
    JOIN {impressions} AS i
        ON i.{user} = b.user_id AND i.{artwork} = b.artwork_id AND i.{viewed_at} = b.viewed_at
    WHERE b.run_id = %(undoes)s
) AS something, EXISTS (
    SELECT 1 FROM {state}.backfilled_impression AS b WHERE b.run_id = %(undoes)s
) AS listed
