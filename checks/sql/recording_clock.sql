-- Up to when this server shows what was written. A replica that lags would else count moments that
-- it has not seen yet, and report that recording has stopped. On an idle primary a replica's replay
-- time stands still, but ours is never idle: the leader renews its lease. NULL: nothing replayed
-- yet. The transaction's start is not after its snapshot, which clock_timestamp() would be.
SELECT
    CASE
        -- least() would leave a NULL out.
        WHEN pg_is_in_recovery() AND pg_last_xact_replay_timestamp() IS NULL THEN NULL
        WHEN pg_is_in_recovery() THEN least(now(), pg_last_xact_replay_timestamp())
        ELSE now()
    END AS until
