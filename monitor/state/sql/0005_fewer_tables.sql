-- The fifth revision: an alert wakes the loop and leaves no record; what nobody reads goes.
DROP TABLE {state}.alert;
ALTER TABLE {state}.control
    -- When a replica that does not lead last asked that the leader count at once.
    ADD COLUMN woken_at timestamptz;
-- The newest transition says it, since the third revision.
ALTER TABLE {state}.check_status DROP COLUMN since
