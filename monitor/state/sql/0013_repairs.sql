-- The thirteenth revision: repairs, run by the same engine as heals.
ALTER TABLE {state}.run DROP CONSTRAINT run_kind_check;
ALTER TABLE {state}.run
    ADD CONSTRAINT run_kind_check CHECK (kind IN ('heal', 'user', 'undo', 'repair')),
    -- Of a repair, and of its undo: its name.
    ADD COLUMN repair text,
    -- How it was configured when it was planned, and the table that it changes, whatever that is
    -- called by now (pg_class.oid).
    ADD COLUMN repair_plan jsonb,
    ADD COLUMN repair_oid oid;
DROP INDEX {state}.one_active_run;
CREATE UNIQUE INDEX one_active_run ON {state}.run ((TRUE))
    WHERE kind IN ('heal', 'undo', 'repair') AND state IN ('running', 'held');
-- The frozen keys of a repair, numbered from one; they go when its run ends. Where `find` is not asked again, with the version of each row, and the
-- values that it is to have.
CREATE TABLE {state}.repair_work (
    run_id bigint NOT NULL,
    position bigint NOT NULL,
    key jsonb NOT NULL,
    version text,
    change jsonb,
    PRIMARY KEY (run_id, position)
);
-- Without a foreign key, as the ledger of heals: one costs a seventh of a batch. They go with the runs
-- that history_prune forgets.
CREATE TABLE {state}.repaired_row (
    run_id bigint NOT NULL,
    position bigint NOT NULL,
    repair text NOT NULL,
    key jsonb NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (run_id, position)
);
COMMENT ON TABLE {state}.repaired_row IS
    'Every row that a repair changed and that was not given back: as it was, and as it was left. Null: there was, or is, none.';
-- What people have switched, by repair.
CREATE TABLE {state}.repair_control (
    repair text PRIMARY KEY,
    suspended boolean NOT NULL DEFAULT FALSE,
    suspended_reason text NOT NULL DEFAULT '',
    suspended_at timestamptz
)
