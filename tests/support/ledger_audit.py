"""An audit of everything that is written, and whether the service's books agree with it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.support.app import App

# Who it was is told by the name that every connection of ours carries.
_AUDIT = """
CREATE TABLE audit (
    n bigserial, who text, op text, tab text, user_id text, artwork_id text, viewed_at timestamp,
    artwork_created timestamp
);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE changed jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    INSERT INTO audit (who, op, tab, user_id, artwork_id, viewed_at, artwork_created)
    SELECT current_setting('application_name'), TG_OP, TG_TABLE_NAME, changed->>'user_id',
        changed->>'artwork_id', (changed->>'viewed_at')::timestamp,
        (SELECT created_at FROM art_sessions WHERE id = changed->>'artwork_id');
    RETURN NULL;
END $$;
"""
_TABLES = ("users", "art_sessions", "user_art_impressions")

_LEDGER = """
SELECT b.user_id, b.artwork_id, b.viewed_at FROM conservator.backfilled_impression AS b
"""
_WRITTEN = """
SELECT user_id, artwork_id, viewed_at FROM audit
WHERE who = 'conservator' AND tab = 'user_art_impressions'
"""
_JOINED = """
SELECT count(*) FROM conservator.backfilled_impression AS b
JOIN user_art_impressions AS i USING (user_id, artwork_id, viewed_at)
"""
# Every impression of a batch carries the batch's moment, so the ledger can be held against it.
_RUNS = """
SELECT r.id, r.inserted,
    (SELECT count(*) FROM conservator.backfilled_impression AS b WHERE b.run_id = r.id),
    (SELECT coalesce(sum(t.inserted), 0) FROM conservator.batch AS t WHERE t.run_id = r.id),
    (SELECT count(*) FROM conservator.batch AS t WHERE t.run_id = r.id AND t.inserted <> (
        SELECT count(*) FROM conservator.backfilled_impression AS b
        WHERE b.run_id = r.id AND b.viewed_at AT TIME ZONE 'UTC' = t.started_at)),
    (SELECT count(*) FROM conservator.batch AS t WHERE t.run_id = r.id) = r.batches
FROM conservator.run AS r
"""
_TOO_YOUNG = """
SELECT a.user_id, a.artwork_id, a.artwork_created, r.legacy_until
FROM audit AS a
JOIN conservator.backfilled_impression AS b USING (user_id, artwork_id, viewed_at)
JOIN conservator.run AS r ON r.id = b.run_id
WHERE a.who = 'conservator' AND a.artwork_created AT TIME ZONE 'UTC' > r.legacy_until
"""
# The gallery's artworks "old" and "seen" are legacy where they were not seen; all the others are
# fresh or in storage, and stay so.
MISSED = """
SELECT count(*) FROM users AS u CROSS JOIN art_sessions AS a
WHERE a.id ~ '^(old|seen)'
    AND EXISTS (SELECT FROM user_art_impressions WHERE user_id = u.id)
    AND NOT EXISTS (SELECT FROM user_art_impressions WHERE user_id = u.id AND artwork_id = a.id)
"""
"""Legacy pairs that have no impression."""


async def start_audit(app: App) -> None:
    """From here on, keep a record of every row that is written, and by whom."""
    await app.run(_AUDIT)
    for table in _TABLES:
        await app.run(
            f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION audit()"
        )


async def assert_only_legacy_inserted(app: App) -> None:
    """By the audit, we did nothing but insert impressions, each of an artwork old enough, and the
    ledger lists exactly these, as often as they were written."""
    ours = await app.rows("SELECT DISTINCT tab, op FROM audit WHERE who = 'conservator'")
    assert ours == [("user_art_impressions", "INSERT")]
    written = Counter(await app.rows(_WRITTEN))
    assert Counter(await app.rows(_LEDGER)) == written
    assert max(written.values()) == 1
    assert await app.rows(_TOO_YOUNG) == []


async def assert_records_agree(app: App) -> None:
    """Ledger, runs, batches and totals tell the same numbers."""
    total = 0
    for run_id, inserted, listed, batched, strays, counted in await app.rows(_RUNS):
        assert (listed, batched, strays, counted) == (inserted, inserted, 0, True), run_id
        total += inserted
    assert await counter(app, "heal_impressions") == total


async def assert_ledger_is_there(app: App) -> None:
    """Every ledger row is an impression; true as long as nobody deletes or views again."""
    listed = await app.value("SELECT count(*) FROM conservator.backfilled_impression")
    assert await app.value(_JOINED) == listed


async def assert_exactly_healed(app: App) -> None:
    """By the audit, the records and the ledger: each legacy pair once, and nothing else."""
    await assert_only_legacy_inserted(app)
    await assert_records_agree(app)
    await assert_ledger_is_there(app)


async def counter(app: App, name: str) -> Any:
    """A total, over all of its labels."""
    return await app.value(
        "SELECT coalesce(sum(value), 0) FROM conservator.counter WHERE name = %(name)s", name=name
    )
