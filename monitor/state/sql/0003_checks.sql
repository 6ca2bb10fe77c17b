-- The third revision: every result of every check, when outcomes changed, samples of how much the
-- app records, and the last report of each suite of expectations.
CREATE TABLE {state}.check_result (
    name text NOT NULL,
    taken_at timestamptz NOT NULL,
    outcome text NOT NULL,
    value double precision,
    seconds double precision,
    PRIMARY KEY (name, taken_at)
);
-- Rows come in order of time, and go so.
CREATE INDEX check_result_taken_at ON {state}.check_result USING brin (taken_at);
CREATE TABLE {state}.check_transition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    changed_at timestamptz NOT NULL,
    -- Null: the check's first result.
    before text,
    after text NOT NULL,
    value double precision,
    message text NOT NULL
);
CREATE INDEX check_transition_name ON {state}.check_transition (name, id);
-- Since when an outcome has been what it is the newest transition says; `since` stays for
-- processes of the second revision.
ALTER TABLE {state}.check_status
    -- What the value is made of.
    ADD COLUMN numbers jsonb NOT NULL DEFAULT '{{}}';
CREATE TABLE {state}.recording_sample (
    started_at timestamptz PRIMARY KEY,
    ended_at timestamptz NOT NULL,
    impressions bigint NOT NULL,
    artworks bigint NOT NULL,
    -- Read back from the table, not observed when it was new: views moved since are missing.
    seeded boolean NOT NULL DEFAULT FALSE,
    -- Judged abnormal when it was the newest; kept out of what is usual.
    suspect boolean NOT NULL DEFAULT FALSE,
    -- How the day compared with the usual when it was the newest.
    level double precision NOT NULL DEFAULT 1
);
CREATE INDEX recording_sample_ended_at ON {state}.recording_sample (ended_at);
CREATE TABLE {state}.validation (
    suite text PRIMARY KEY,
    validated_at timestamptz NOT NULL,
    document jsonb NOT NULL
)
