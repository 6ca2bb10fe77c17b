"""Which boundaries are struck, and how: from what a rehearsal saw, without any database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle

from tests.chaos.faults import Boundary, Fault, Moment, Seen, Strike

Transaction = tuple[Boundary, ...]

EVERY_WAY = (
    (Fault.KILL, Moment.BEFORE),
    (Fault.CUT, Moment.AFTER),
    (Fault.TERMINATE, Moment.BEFORE),
    (Fault.KILL, Moment.AFTER),
    (Fault.CUT, Moment.BEFORE),
)
"""What each boundary suffers. A session that the server ends after a statement is one that it ends
before the next."""
_READING_ONLY = 6
"""Of the statements before the plan and after the end, which only read, every so many is struck."""


def transactions(seen: Iterable[Seen]) -> list[Transaction]:
    """What a rehearsal saw, by transactions, in the order in which they began."""
    found: list[list[Boundary]] = []
    current: dict[int, list[Boundary]] = {}
    for one in seen:
        if one.boundary.statement.startswith("BEGIN") or one.connection not in current:
            current[one.connection] = []
            found.append(current[one.connection])
        current[one.connection].append(one.boundary)
    return [tuple(transaction) for transaction in found]


def is_planning(transaction: Transaction) -> bool:
    """It makes the run."""
    return any(b.statement.startswith('INSERT INTO "conservator".run (') for b in transaction)


def is_batch(transaction: Transaction) -> bool:
    """It writes a batch."""
    return any(b.statement.startswith('INSERT INTO "conservator".batch (') for b in transaction)


def is_end(transaction: Transaction) -> bool:
    """It ends the run."""
    return any(b.statement.startswith('UPDATE "conservator".run SET state') for b in transaction)


def split(seen: Iterable[Seen]) -> tuple[list[Boundary], list[Transaction]]:
    """What comes before the plan and after the end, which only reads; and the transactions that
    matter: the plan, the first batch, a middle one and the last, and of everything else that
    repeats itself the first and the last."""
    all_of_them = transactions(seen)
    start = next(n for n, one in enumerate(all_of_them) if is_planning(one))
    ends = [n for n, one in enumerate(all_of_them) if is_end(one)]
    stop = ends[-1] + 1 if ends else len(all_of_them)
    reading = [*all_of_them[:start], *all_of_them[stop:]]
    around = [boundary for one in reading for boundary in one]
    rest = all_of_them[start:stop]
    batches = [one for one in rest if is_batch(one)]
    others = [one for one in rest if not is_batch(one)]
    first = {_texts(one): one for one in reversed(others)}
    last = {_texts(one): one for one in others}
    middle = batches[len(batches) // 2]
    chosen = {batches[0], middle, batches[-1], *first.values(), *last.values()}
    return around, [one for one in rest if one in chosen]


def _texts(transaction: Transaction) -> tuple[str, ...]:
    return tuple(boundary.statement for boundary in transaction)


def every_strike(seen: Iterable[Seen]) -> Iterator[Strike]:
    """The long form: every boundary of the transactions that matter, in every way."""
    around, core = split(seen)
    for transaction in core:
        for boundary in transaction:
            for fault, moment in EVERY_WAY:
                yield Strike(fault, moment, boundary)
            if is_batch(transaction):
                yield Strike(Fault.SEVER, Moment.AFTER, boundary)
    for boundary in around[::_READING_ONLY]:
        yield Strike(Fault.KILL, Moment.BEFORE, boundary)
        yield Strike(Fault.CUT, Moment.AFTER, boundary)


def some_strikes(seen: Iterable[Seen], *, seed: int, sparse: int) -> Iterator[Strike]:
    """The short form: every boundary of a batch in the middle, each in one way; of the other
    transactions that matter every `sparse`-th boundary."""
    _, core = split(seen)
    ways = cycle((*EVERY_WAY, (Fault.SEVER, Moment.AFTER)))
    batches = [one for one in core if is_batch(one)]
    middle = batches[len(batches) // 2]
    others = [boundary for one in core if one is not middle for boundary in one]
    for _ in range(seed):
        next(ways)
    for boundary in (*middle, *others[seed % sparse :: sparse]):
        fault, moment = next(ways)
        yield Strike(fault, moment, boundary)
