-- A new run under its first lease. A second active one breaks a unique index (23505).
-- What a repair's kind is stored as, 0013_repairs says.
INSERT INTO {state}.run (
    kind, trigger, state, reason, holder, lease_until, started_at,
    legacy_until, created_before, subject, legacy_before, beyond_breaker, recurring,
    catalogue, impressions_oid, users_oid, artworks, repair, repair_plan, repair_oid
) VALUES (
    CASE WHEN %(repair)s::text IS NULL THEN %(kind)s ELSE 'user' END,
    %(trigger)s, 'running', %(reason)s, %(holder)s, now() + %(lease)s, now(),
    %(legacy_until)s, %(created_before)s, %(subject)s::{user_cast}, %(legacy_before)s,
    %(beyond_breaker)s, %(recurring)s, %(catalogue)s::jsonb, %(impressions_oid)s::oid,
    %(users_oid)s::oid, %(artworks)s::text[], %(repair)s, %(repair_plan)s::jsonb,
    %(repair_oid)s::oid
)
RETURNING id
