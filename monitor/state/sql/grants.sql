-- The least that conservator needs. Run as the owner of the tables, once the state schema exists.

-- Reading: counts and checks (database.read_url, or database.url with healing.mode: observe).
DO $$ BEGIN CREATE ROLE {reader} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT USAGE ON SCHEMA {artworks_schema}, {users_schema}, {impressions_schema} TO {reader};
GRANT SELECT ON {artworks}, {users}, {impressions} TO {reader};

-- Healing: reads the same, writes impressions, keeps its own tables. DELETE only if undo is wanted.
DO $$ BEGIN CREATE ROLE {healer} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT {reader} TO {healer};
GRANT INSERT ON {impressions} TO {healer};
GRANT DELETE ON {impressions} TO {healer};
GRANT USAGE ON SCHEMA {state} TO {healer};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {state} TO {healer};

-- Waiting for replicas needs to see their lag; only a superuser may grant that:
-- GRANT pg_monitor TO {healer};

-- Then: CREATE ROLE conservator_service LOGIN PASSWORD '…' IN ROLE {healer};
