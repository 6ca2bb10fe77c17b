-- The tenth revision: a batch keeps how many rows it was asked for, and why.
ALTER TABLE {state}.batch
    -- Null: an older version wrote it.
    ADD COLUMN size bigint,
    ADD COLUMN size_reason text
