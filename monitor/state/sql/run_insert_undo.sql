-- A new undo under its first lease: all that the run's ledger lists, by the settings that the run
-- was planned under. The run may be forgotten already (`history`), its ledger never is. A second
-- active run breaks a unique index (23505).
INSERT INTO {state}.run (
    kind, trigger, state, reason, holder, lease_until, started_at,
    legacy_until, created_before, subject, undoes, planned_users, planned_rows, catalogue,
    impressions_oid, users_oid, repair, repair_plan, repair_oid
)
SELECT
    CASE WHEN r.repair IS NULL THEN 'undo' ELSE 'user' END,
    %(trigger)s, 'running', %(reason)s, %(holder)s, clock_timestamp() + %(lease)s, now(),
    coalesce(r.legacy_until, now()), r.created_before, r.subject, %(undoes)s, %(users)s, %(rows)s,
    CASE WHEN r.repair IS NULL THEN coalesce(r.catalogue, %(catalogue)s::jsonb) END,
    CASE WHEN r.catalogue IS NULL THEN %(impressions_oid)s::oid ELSE r.impressions_oid END,
    CASE WHEN r.catalogue IS NULL THEN %(users_oid)s::oid ELSE r.users_oid END,
    r.repair, r.repair_plan, r.repair_oid
FROM (SELECT) AS one
LEFT JOIN {state}.run AS r ON r.id = %(undoes)s
RETURNING id
