-- The least that conservator needs. Run as the owner of the tables, once the state schema exists.
-- Making the two roles takes CREATEROLE; where the owner lacks it, let an administrator make them
-- first: what is there already is left alone.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {reader_name}) THEN
        CREATE ROLE {reader} NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {healer_name}) THEN
        CREATE ROLE {healer} NOLOGIN;
    END IF;
END $$;

-- Reading, for database.read_url and `conservator check`: what the configuration names and its SQL
-- reads, and nothing else. Functions in it, and queries of your own (checks.sql,
-- healing.pace.wait_while), may need more.
GRANT USAGE ON SCHEMA {schemas} TO {reader}, {healer};
GRANT SELECT ON {readable} TO {reader}, {healer};
-- ... and the list of what the service itself wrote: without it no synthetic view is told from a real
-- one, by `recording_rate` or by an analyst.
GRANT USAGE ON SCHEMA {state} TO {reader};
GRANT SELECT ON {state}.backfilled_impression TO {reader};
-- ... and what it found before, with which `check` compares.
GRANT SELECT ON {state}.schema_version, {state}.control, {state}.counter, {state}.check_status,
    {state}.check_transition, {state}.recording_sample TO {reader};

-- Healing, for database.url: inserts impressions, and keeps its own tables. Who only wants to count
-- (healing.mode: observe) leaves the first line out.
GRANT INSERT ON {written} TO {healer};
{updates}{sequences}GRANT USAGE ON SCHEMA {state} TO {healer};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {state} TO {healer};
{ledger_of_healer}
-- Only `conservator undo` deletes impressions. Who doesn't want it leaves this line out, or runs
-- REVOKE DELETE ON {written} FROM {healer};
GRANT DELETE ON {written} TO {healer};
{policies}{repairs}
-- Waiting for replicas needs to see how far they are; only a superuser may grant that:
-- GRANT pg_monitor TO {healer};

-- Then: CREATE ROLE conservator_service LOGIN PASSWORD '...' IN ROLE {healer};
