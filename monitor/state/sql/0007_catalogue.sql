-- The seventh revision: a run keeps the settings by which it counts and writes.
ALTER TABLE {state}.run
    -- As checks/kept_catalogue.py writes them; an undo has those of the run that it takes back.
    -- Null: the run is older, and has the present ones.
    ADD COLUMN catalogue jsonb,
    -- The table that it wrote to, whatever that is called by now (pg_class.oid).
    ADD COLUMN impressions_oid oid;
ALTER TABLE {state}.control
    -- What is tallied and was healed up to `verified_until`, of the same settings.
    ADD COLUMN tallied jsonb
