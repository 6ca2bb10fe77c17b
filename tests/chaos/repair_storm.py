"""Who writes the table of `tests.chaos.repairs` beside a repair, and what must hold once the storm
is over: a trigger has recorded every write, so that each of ours can be judged by the row that it
met."""

from __future__ import annotations

from tests.chaos.audit import Findings, unfinished
from tests.chaos.repairs import LISTED, ROWS, WRONG, RepairCase, books
from tests.support.app import App
from tests.support.writers import Writers

TIMES = 10
"""So many times the rows of the small table."""
_ACTS = (
    "UPDATE items SET note = concat(note, '+') WHERE id = %(id)s",
    "UPDATE items SET amount = abs(amount) WHERE id = %(id)s",
    "UPDATE items SET amount = -abs(amount) WHERE id = %(id)s",
    "DELETE FROM items WHERE id = %(id)s",
    "INSERT INTO items SELECT %(id)s, 'o', -%(id)s, NULL, now() ON CONFLICT DO NOTHING",
    "INSERT INTO items (id, owner, amount, made_at) SELECT id, owner, amount, made_at FROM wanted"
    " WHERE id = %(id)s ON CONFLICT DO NOTHING",
)
"""Touched, mended and spoilt by others; gone, and there again."""
_OTHER_THAN_WRONG = {
    "delete": "op <> 'DELETE' OR (old).amount >= 0",
    "update": "op <> 'UPDATE' OR (old).amount >= 0 OR (new).amount <> (old).amount + 1000"
    " OR to_jsonb(new) - '{amount,twice}'::text[] <> to_jsonb(old) - '{amount,twice}'::text[]",
    "insert": "op <> 'INSERT' OR NOT EXISTS (SELECT FROM wanted AS w WHERE w.id = s.id"
    " AND (w.owner, w.amount, w.made_at) = ((new).owner, (new).amount, (new).made_at))",
}
"""Of a write of ours: not what the repair is to do, or to a row that was none of its."""
_STILL_WRONG = {
    "delete": "SELECT count(*) FROM items WHERE amount < 0",
    "update": "SELECT count(*) FROM items WHERE amount < 0",
    "insert": "SELECT count(*) FROM wanted WHERE id NOT IN (SELECT id FROM items)",
}
_JUDGED = """
SELECT count(*), count(*) FILTER (WHERE {}) FROM kept.writes AS s WHERE who = 'conservator'
"""
_BOOKED = f"""
WITH was AS ({LISTED.format("before")}), became AS ({LISTED.format("after")}),
met AS (SELECT (old).* FROM kept.writes WHERE who = 'conservator' AND op <> 'INSERT'),
made AS (SELECT (new).* FROM kept.writes WHERE who = 'conservator' AND op <> 'DELETE')
SELECT (SELECT count(*) FROM (TABLE met EXCEPT ALL TABLE was) AS d)
    + (SELECT count(*) FROM (TABLE made EXCEPT ALL TABLE became) AS d),
    (SELECT count(*) FROM (TABLE was EXCEPT ALL TABLE met) AS d)
    + (SELECT count(*) FROM (TABLE became EXCEPT ALL TABLE made) AS d)
"""
# What the last write of each row left, and the rows that nobody has written.
_REPLAYED = """
WITH latest AS (SELECT DISTINCT ON (id) op, new FROM kept.writes ORDER BY id, n DESC),
replayed AS (
    SELECT (new).* FROM latest WHERE op <> 'DELETE'
    UNION ALL SELECT * FROM kept.before WHERE id NOT IN (SELECT id FROM kept.writes)
)
SELECT (SELECT count(*) FROM (TABLE replayed EXCEPT ALL TABLE items) AS d),
    (SELECT count(*) FROM (TABLE items EXCEPT ALL TABLE replayed) AS d),
    (SELECT count(*) FROM items)
"""


class ItemWriters(Writers):
    """People and programs at the same rows."""

    async def _look_around(self, app: App) -> None:
        """Nothing: the rows have numbers."""

    async def _act(self, app: App, number: int) -> None:
        number = self._rng.randint(1, (ROWS + WRONG) * TIMES)
        await app.run(self._rng.choice(_ACTS), id=number)


async def weathered(case: RepairCase, app: App) -> Findings:
    """Nothing is wrong any more; each write of ours was due, once, and is in the ledger."""
    wrong = await unfinished(app)
    if left := await app.value(_STILL_WRONG[case.action]):
        wrong.append(f"{left} rows are still wrong")
    judged = _JUDGED.format(_OTHER_THAN_WRONG[case.action])
    [(written, undue)] = await app.rows(judged)
    if undue:
        wrong.append(f"{undue} rows were written that were not wrong, or otherwise than asked for")
    [(unlisted, doubled)] = await app.rows(_BOOKED)
    if unlisted:
        wrong.append(f"{unlisted} rows were written and are not in the ledger")
    told, batches = await books(app, "repair_rows", wrong, undo=False)
    if told != written:
        wrong.append(f"{written} rows were written, the runs say {told}")
    [(lost, strange, there)] = await app.rows(_REPLAYED)
    if strange:
        wrong.append(f"{strange} rows are there that nobody wrote so")
    return Findings(there + written, batches, lost, doubled, tuple(wrong))
