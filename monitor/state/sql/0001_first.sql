-- The first revision of the state schema. Id columns take the types of the app's own tables.
CREATE TABLE {state}.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('heal', 'user')),
    trigger text NOT NULL CHECK (trigger IN ('schedule', 'api', 'command')),
    state text NOT NULL CHECK (state IN ('running', 'held', 'succeeded', 'partial', 'failed')),
    reason text NOT NULL,
    outcome text NOT NULL DEFAULT '',
    -- The lease: who works on it, until when, and the fencing token that every batch checks.
    holder text NOT NULL,
    token bigint NOT NULL DEFAULT 1,
    lease_until timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- The plan, frozen when the run starts.
    legacy_until timestamptz NOT NULL,
    created_before timestamptz,
    subject {user_type},
    planned_users bigint NOT NULL DEFAULT 0,
    planned_rows bigint NOT NULL DEFAULT 0,
    -- The cursor: the work list is done up to `position`; of the next user, the artworks up to
    -- `artwork_cursor`.
    pass integer NOT NULL DEFAULT 1,
    position bigint NOT NULL DEFAULT 0,
    artwork_cursor {artwork_type},
    batches bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    writing_seconds double precision NOT NULL DEFAULT 0,
    waiting_seconds double precision NOT NULL DEFAULT 0,
    legacy_before bigint,
    legacy_after bigint,
    remaining bigint
);
CREATE UNIQUE INDEX one_active_run ON {state}.run ((TRUE))
    WHERE kind = 'heal' AND state IN ('running', 'held');
CREATE UNIQUE INDEX one_active_run_a_user ON {state}.run (subject)
    WHERE kind = 'user' AND state IN ('running', 'held');
CREATE TABLE {state}.work (
    run_id bigint NOT NULL REFERENCES {state}.run (id) ON DELETE CASCADE,
    position bigint NOT NULL,
    user_id {user_type} NOT NULL,
    found bigint NOT NULL,
    planned bigint NOT NULL,
    PRIMARY KEY (run_id, position)
);
CREATE TABLE {state}.batch (
    run_id bigint NOT NULL REFERENCES {state}.run (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    users bigint NOT NULL,
    inserted bigint NOT NULL,
    PRIMARY KEY (run_id, number)
);
CREATE TABLE {state}.backfilled_impression (
    run_id bigint NOT NULL,
    user_id {impression_user_type} NOT NULL,
    artwork_id {impression_artwork_type} NOT NULL,
    viewed_at {viewed_at_type} NOT NULL,
    PRIMARY KEY (run_id, user_id, artwork_id)
);
COMMENT ON TABLE {state}.backfilled_impression IS
    'Every impression that conservator wrote and has not taken back. Synthetic: the user was never shown the artwork at viewed_at.';
CREATE TABLE {state}.backfilled_user (
    user_id {user_type} PRIMARY KEY,
    run_id bigint NOT NULL,
    inserted bigint NOT NULL,
    backfilled_at timestamptz NOT NULL
);
CREATE TABLE {state}.control (
    singleton boolean PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    paused boolean NOT NULL DEFAULT FALSE,
    paused_reason text NOT NULL DEFAULT '',
    paused_at timestamptz,
    suspended boolean NOT NULL DEFAULT FALSE,
    suspended_reason text NOT NULL DEFAULT '',
    suspended_at timestamptz,
    -- The cutoff of the last verified heal: legacy artworks up to here were all healed once.
    verified_until timestamptz
);
INSERT INTO {state}.control DEFAULT VALUES;
CREATE TABLE {state}.counter (
    name text NOT NULL,
    label text NOT NULL DEFAULT '',
    value double precision NOT NULL,
    PRIMARY KEY (name, label)
);
CREATE TABLE {state}.census (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    as_of timestamptz NOT NULL,
    form text NOT NULL,
    tracked bigint NOT NULL,
    fresh bigint NOT NULL,
    storage bigint NOT NULL,
    legacy_untracked bigint NOT NULL,
    appeared bigint NOT NULL,
    legacy_artworks bigint NOT NULL,
    oldest_legacy_created double precision,
    audience bigint NOT NULL,
    users bigint NOT NULL,
    seconds double precision NOT NULL
);
CREATE INDEX census_as_of ON {state}.census (as_of);
CREATE TABLE {state}.decision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at timestamptz NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    legacy_untracked bigint,
    run_id bigint
);
CREATE INDEX decision_decided_at ON {state}.decision (decided_at);
