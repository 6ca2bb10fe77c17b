-- The second revision: undo, breaker, leadership, quarantine, tallies, and where the time went.
ALTER TABLE {state}.run DROP CONSTRAINT run_kind_check;
ALTER TABLE {state}.run
    ADD CONSTRAINT run_kind_check CHECK (kind IN ('heal', 'user', 'undo')),
    -- An undo: the run that it takes back, and its cursor, with `artwork_cursor`, in that ledger.
    ADD COLUMN undoes bigint,
    ADD COLUMN user_cursor {impression_user_type},
    -- A person has seen why the breaker is open and goes on all the same.
    ADD COLUMN beyond_breaker boolean NOT NULL DEFAULT FALSE,
    -- Pairs that could not be written, put aside by this run.
    ADD COLUMN quarantined bigint NOT NULL DEFAULT 0,
    -- Legacy pairs that the quarantine kept out of the plan.
    ADD COLUMN aside bigint NOT NULL DEFAULT 0,
    -- Planned pairs that had appeared behind the last verified cutoff, new users' pairs apart.
    ADD COLUMN recurring bigint NOT NULL DEFAULT 0,
    -- What it waits for right now, in words; empty while it writes.
    ADD COLUMN waiting_for text NOT NULL DEFAULT '';
DROP INDEX {state}.one_active_run;
CREATE UNIQUE INDEX one_active_run ON {state}.run ((TRUE))
    WHERE kind IN ('heal', 'undo') AND state IN ('running', 'held');
-- Where a run's time went beside writing, by reason.
CREATE TABLE {state}.run_wait (
    run_id bigint NOT NULL REFERENCES {state}.run (id) ON DELETE CASCADE,
    reason text NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (run_id, reason)
);
ALTER TABLE {state}.control
    ADD COLUMN breaker_open boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN breaker_code text NOT NULL DEFAULT '',
    ADD COLUMN breaker_reason text NOT NULL DEFAULT '',
    ADD COLUMN breaker_at timestamptz,
    -- When a person last reset it: losses and stuck runs before that are judged no more.
    ADD COLUMN breaker_reset_at timestamptz,
    -- The legacy share accepted then, until it has fallen to max_share; null: none.
    ADD COLUMN accepted_share double precision,
    -- When the heal that verified the cutoff `verified_until` was planned.
    ADD COLUMN verified_at timestamptz,
    -- The first tally since the breaker was reset: losses are measured from it.
    ADD COLUMN tally_base_at timestamptz;
-- How many users a census affects is counted more rarely; null where it was not.
ALTER TABLE {state}.census
    ADD COLUMN users_affected bigint,
    ADD COLUMN users_clear bigint,
    ADD COLUMN users_seconds double precision;
-- Who leads: one row, taken and kept by conditional updates on the database's clock.
CREATE TABLE {state}.leader (
    singleton boolean PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    holder text NOT NULL DEFAULT '',
    token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO {state}.leader DEFAULT VALUES;
-- The last result of every check, for the replicas that don't lead.
CREATE TABLE {state}.check_status (
    name text PRIMARY KEY,
    outcome text,
    value double precision,
    message text NOT NULL DEFAULT '',
    interval_seconds double precision NOT NULL,
    configured_interval_seconds double precision NOT NULL,
    duration_seconds double precision,
    last_run timestamptz,
    last_success timestamptz,
    since timestamptz,
    evidence jsonb NOT NULL DEFAULT '[]'
);
-- Pairs whose impression can't be written, each with its error; tried again when `retry_at` comes.
CREATE TABLE {state}.quarantine (
    user_id {user_type} NOT NULL,
    artwork_id {artwork_type} NOT NULL,
    run_id bigint NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, artwork_id)
);
-- How far the ledger was searched for rows whose impression is gone.
CREATE TABLE {state}.ledger_sweep (
    singleton boolean PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    run_id bigint NOT NULL DEFAULT 0,
    user_id {impression_user_type},
    artwork_id {impression_artwork_type}
);
INSERT INTO {state}.ledger_sweep DEFAULT VALUES;
-- How many counted impressions each artwork and each user had, a row whenever it changed: the
-- newest row at or before a moment says how many there were at that moment; null: it was deleted,
-- or no longer counted.
CREATE TABLE {state}.tally_artwork (
    artwork_id {artwork_type} NOT NULL,
    taken_at timestamptz NOT NULL,
    impressions bigint,
    PRIMARY KEY (artwork_id, taken_at)
);
CREATE TABLE {state}.tally_user (
    user_id {user_type} NOT NULL,
    taken_at timestamptz NOT NULL,
    impressions bigint,
    PRIMARY KEY (user_id, taken_at)
)
