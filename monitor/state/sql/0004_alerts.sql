-- The fourth revision: what Alertmanager has told.
-- What Alertmanager has told: each change of an alert once, whichever replica it was told to.
CREATE TABLE {state}.alert (
    fingerprint text NOT NULL,
    starts_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('firing', 'resolved')),
    name text NOT NULL,
    -- When it was first told, and which replica took it.
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_by text NOT NULL,
    PRIMARY KEY (fingerprint, starts_at, status)
);
CREATE INDEX alert_received_at ON {state}.alert (received_at)
