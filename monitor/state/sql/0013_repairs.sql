-- The thirteenth revision: repairs, run by the same engine as heals.
ALTER TABLE {state}.run
    -- Of a repair, and of its undo: its name. Their kind is stored as 'user': an older process, beside
    -- this one or after it, has no word for repairs, and never takes up a run of that kind.
    ADD COLUMN repair text,
    -- How it was configured when it was planned, and the table that it changes, whatever that is
    -- called by now (pg_class.oid).
    ADD COLUMN repair_plan jsonb,
    ADD COLUMN repair_oid oid;
CREATE INDEX run_repair ON {state}.run (repair, id) WHERE repair IS NOT NULL;
DROP INDEX {state}.one_active_run;
CREATE UNIQUE INDEX one_active_run ON {state}.run ((TRUE))
    WHERE (kind IN ('heal', 'undo') OR repair IS NOT NULL) AND state IN ('running', 'held');
-- The frozen keys of a repair, numbered from one; they go when its run ends. Where `find` is not asked
-- again, with the version of each row, and the
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
    suspended_at timestamptz,
    -- Its own breaker; docs/breaker.md.
    breaker_open boolean NOT NULL DEFAULT FALSE,
    breaker_code text NOT NULL DEFAULT '',
    breaker_reason text NOT NULL DEFAULT '',
    breaker_at timestamptz,
    breaker_reset_at timestamptz,
    -- So many rows were accepted at the last reset, until `find` names few enough again.
    accepted_rows bigint
);
-- What the leader found last, by repair: what `find` named, and what was decided.
CREATE TABLE {state}.repair_status (
    repair text PRIMARY KEY,
    decided_at timestamptz NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    counted_at timestamptz,
    named bigint,
    table_rows bigint,
    share double precision,
    seconds double precision,
    -- Why `find` could not be counted.
    error text
);
-- How these decisions changed. Apart from healing's, whose words an older process beside this one knows.
CREATE TABLE {state}.repair_decision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repair text NOT NULL,
    decided_at timestamptz NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX repair_decision_repair ON {state}.repair_decision (repair, id)
