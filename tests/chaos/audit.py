"""Every row is held against the books, once the dust has settled."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.app import App
from tests.support.ledger_audit import (
    MISSED,
    assert_ledger_is_there,
    assert_only_legacy_inserted,
    assert_records_agree,
    counter,
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the audit of one database found."""

    rows: int = 0
    """Impressions and ledger rows that were looked at."""
    batches: int = 0
    lost: int = 0
    """Pairs that should have an impression and have none, or had one and lost it."""
    doubled: int = 0
    """Rows written more often than once, in whatever table."""
    wrong: tuple[str, ...] = ()
    """Everything else that is not as it should be, a sentence each."""


_SIZES = """
SELECT (SELECT count(*) FROM user_art_impressions)
    + (SELECT count(*) FROM conservator.backfilled_impression)
    + (SELECT count(*) FROM conservator.repaired_row),
    (SELECT coalesce(sum(batches), 0)::bigint FROM conservator.run)
"""
_WRITTEN_TWICE = """
SELECT count(*) - count(DISTINCT (user_id, artwork_id)) FROM audit
WHERE who = 'conservator' AND op = 'INSERT' AND tab = 'user_art_impressions'
"""
_DOUBLES = "SELECT count(*) - count(DISTINCT (user_id, artwork_id)) FROM {}"
_TOUCHED = """
SELECT count(*) FROM audit WHERE who = 'conservator' AND artwork_id !~ '^(old|seen)'
"""
_UNFINISHED = "SELECT count(*) FROM conservator.run WHERE state IN ('running', 'held')"
_FAILED = "SELECT count(*) FROM conservator.run WHERE state = 'failed'"
_RUNS = "SELECT count(*) FROM conservator.run WHERE kind = %(kind)s"


KEEP = "CREATE SCHEMA kept; CREATE TABLE kept.impressions AS TABLE {}"
"""Makes a copy of a table of impressions."""
DIFFERENT = """
SELECT (SELECT count(*) FROM (TABLE kept.impressions EXCEPT ALL TABLE {table}) AS gone),
    (SELECT count(*) FROM (TABLE {table} EXCEPT ALL TABLE kept.impressions) AS come)
"""
"""Rows of the copy that are not there any more, and rows that have come."""
_LISTED = """
SELECT count(*), count(*) FILTER (WHERE artwork_id !~ '^(old|seen)')
FROM conservator.backfilled_impression
"""
_VIEWED_AGAIN = "who = 'app' AND op = 'UPDATE'"
_WRONGLY_TAKEN = f"""
SELECT (SELECT count(*) FROM audit WHERE {_VIEWED_AGAIN}) + (SELECT count(*) FROM users) - 1
    - (SELECT count(*) FROM user_art_impressions AS i WHERE artwork_id = 'seen0001' OR EXISTS (
        SELECT FROM audit WHERE {_VIEWED_AGAIN} AND user_id = i.user_id
            AND artwork_id = i.artwork_id))
"""
_TAKEN = """
SELECT count(*), count(DISTINCT (user_id, artwork_id)) FROM audit
WHERE who = 'conservator' AND op = 'DELETE' AND tab = 'user_art_impressions'
"""
_DELETES_ONLY = """
SELECT count(*) FROM audit
WHERE who = 'conservator' AND (op, tab) <> ('DELETE', 'user_art_impressions')
"""
_NOT_TAKEN = """
SELECT count(*) FROM conservator.backfilled_impression
JOIN user_art_impressions USING (user_id, artwork_id, viewed_at)
"""
STATES = "SELECT kind, state FROM conservator.run ORDER BY id"
"""All runs, in their order."""


async def sizes(app: App) -> tuple[int, int]:
    """Rows to be looked at, and batches that were written."""
    ((rows, batches),) = await app.rows(_SIZES)
    return rows, batches


async def doubles(app: App) -> int:
    """Rows too many."""
    found = await app.value(_WRITTEN_TWICE)
    for table in ("user_art_impressions", "conservator.backfilled_impression"):
        found += await app.value(_DOUBLES.format(table))
    return int(found)


async def healed(app: App, *, others_write: bool = False) -> Findings:
    """After a heal run: every legacy pair has its impression, nothing else was touched."""
    rows, batches = await sizes(app)
    wrong = await unfinished(app)
    if not others_write and await app.value(_RUNS, kind="heal") != 1:
        wrong.append("there is more than one heal run for one plan")
    if touched := await app.value(_TOUCHED):
        wrong.append(f"{touched} writes for pairs that are not legacy")
    checks = [assert_only_legacy_inserted, assert_records_agree]
    if not others_write:
        checks.append(assert_ledger_is_there)
    for check in checks:
        try:
            await check(app)
        except AssertionError as error:
            wrong.append(f"{check.__name__}: {str(error)[:300]}")
    return Findings(rows, batches, await app.value(MISSED), await doubles(app), tuple(wrong))


async def healed_whole_users(app: App, *, others_write: bool = False) -> Findings:
    """The same without a record by triggers, beside which batches are neither written at the same
    time nor in one trip: by a copy of the impressions."""
    rows, batches = await sizes(app)
    wrong = await unfinished(app)
    if not others_write:
        [(gone, come)] = await app.rows(DIFFERENT.format(table="user_art_impressions"))
        [(listed, touched)] = await app.rows(_LISTED)
        if (gone, come, touched) != (0, listed, 0):
            wrong.append(f"{gone} gone, {come} come, {listed} listed, {touched} of them not legacy")
    try:
        await assert_records_agree(app)
    except AssertionError as error:
        wrong.append(str(error)[:300])
    doubled = await app.value(_DOUBLES.format("conservator.backfilled_impression"))
    return Findings(rows, batches, await app.value(MISSED), doubled, tuple(wrong))


async def undone(app: App) -> Findings:
    """After the undo of run 1: of its impressions exactly those are there that the app has shown
    again, and nothing else was touched."""
    rows, batches = await sizes(app)
    wrong = await unfinished(app)
    ((taken, pairs),) = await app.rows(_TAKEN)
    if await app.rows(STATES) != [("heal", "succeeded"), ("undo", "succeeded")]:
        wrong.append(f"runs: {await app.rows(STATES)}")
    if left := await app.value(_NOT_TAKEN):
        wrong.append(f"{left} impressions were not taken back")
    if others := await app.value(_DELETES_ONLY):
        wrong.append(f"{others} writes that are no deletion of an impression")
    if (told := await counter(app, "heal_undone_impressions")) != taken:
        wrong.append(f"{taken} impressions were taken back, the total says {told}")
    return Findings(
        rows + taken, batches, await app.value(_WRONGLY_TAKEN), taken - pairs, tuple(wrong)
    )


async def has_undone(app: App) -> bool:
    """An undo has come to its end, and there is nothing to ask for again."""
    return ("undo", "succeeded") in await app.rows(STATES)


async def unfinished(app: App) -> list[str]:
    """Sentences about runs that did not come to their end."""
    wrong = []
    if left := await app.value(_UNFINISHED):
        wrong.append(f"{left} runs are not finished")
    if failed := await app.value(_FAILED):
        wrong.append(f"{failed} runs failed")
    return wrong
