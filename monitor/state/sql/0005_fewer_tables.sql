-- The fifth revision: an alert wakes the loop and leaves no record.
DROP TABLE {state}.alert;
ALTER TABLE {state}.control
    -- When a replica that does not lead last asked that the leader count at once.
    ADD COLUMN woken_at timestamptz
