-- The ninth revision: what an earlier run wrote is found by its pair, and a run knows the table of its
-- users, whatever that is called by now (pg_class.oid).
CREATE INDEX backfilled_impression_pair ON {state}.backfilled_impression (user_id, artwork_id)
    WHERE written IS NOT NULL;
ALTER TABLE {state}.run ADD COLUMN users_oid oid
