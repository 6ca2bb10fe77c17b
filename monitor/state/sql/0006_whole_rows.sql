-- The sixth revision: rows that a time of viewing alone does not tell.
ALTER TABLE {state}.backfilled_impression
    -- Of a row that was there and did not count: what `set` replaced. Null: a new row.
    ADD COLUMN replaced jsonb,
    -- The whole row as it was written. Null: pair and viewed_at tell it.
    ADD COLUMN written jsonb
