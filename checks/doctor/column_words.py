"""What a column's name says about its row: that it is a view, or isn't; is in use, or is gone.

A name is taken apart into words (`isRead`, `IS_READ` and `is_read` are the same) and has to be one
of the words below as a whole, but for what stands around it in every app: `is_`, `_at`, the name of
the table. `email_blocked` and `last_active_at` say nothing about the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from checks.relations import Column


class Says(StrEnum):
    """What a column says about its row."""

    COUNTS = "counts"
    """Where it is set, the row is a view, or is in use: `seen_at`, `listed`."""
    EXCLUDED = "excluded"
    """Where it is set, the row is none, or is gone: `hidden`, `deleted_at`."""
    STATE = "state"
    """What was done, or where the row stands: `status`, `action`."""
    KIND = "kind"
    """What the row is about, where it may be about several tables: `thing_type`."""


class Sort(StrEnum):
    """How a column says it."""

    FLAG = "flag"
    MOMENT = "moment"
    NUMBER = "number"
    """A flag, a moment since 1970, or a count: 0 is "no" and "never"."""
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Telling:
    """A column that tells whether its row counts."""

    column: Column
    says: Says
    sort: Sort


def _words(text: str) -> frozenset[str]:
    """Words, a line each; phrases have spaces in them."""
    return frozenset(line.strip() for line in text.replace(",", "\n").splitlines() if line.strip())


SEEN = _words(
    """seen, saw, read, view, views, viewed, shown, opened, look, looks, looked, visited, watched,
    displayed, presented, delivered, sent, glanced, noticed, exposed, visible, active, valid,
    counted"""
)
UNSEEN = _words(
    """hidden, hide, delete, deleted, removed, retracted, revoked, withdrawn, taken back, dismissed,
    unread, unseen, unviewed, not seen, not viewed, not shown, skip, skipped, ignored, cancelled,
    canceled, reset, undone, reverted, cleared, forgotten, invalid, invalidated, void, voided,
    archived, trashed, binned, put away, snoozed, postponed, deferred, pending, queued, failed,
    expired, inactive, disabled, missed"""
)
_SEEN_BY = _words("impression, impressions, click, clicked, tap, tapped, open")
"""Values of an event that nobody has who has not seen the artwork."""
GONE = _words(
    """gone, delete, deleted, removed, archived, withdrawn, retired, hidden, barred, banned,
    blocked, suspended, closed, disabled, deactivated, inactive, left, away, binned, trashed,
    trash, stored, draft, sketch, refused, rejected, unlisted, unpublished, dropped, stand in,
    staged, expired, cancelled, canceled, revoked, void, voided, terminated, erased, purged,
    private, spam, bot"""
)
THERE = _words(
    """on show, shown, displayed, listed, visible, published, public, released, live, available,
    enabled, active, activated, admitted, approved"""
)
VOCABULARY = SEEN | UNSEEN | GONE | THERE
"""Every word that a name may be."""
_PROFILE = _words("private, public, visible, listed, unlisted")
"""Of a user, these are about who may see the profile."""
_PRESENT = _words("open, normal, ok, current, new, featured") | THERE
"""Values that say that a row is in use; names they are not."""
_STATES = _words("status, state, action, event, verb, interaction, activity, stage, phase")
_STANDING = _words("status, state, stage, phase, visibility, availability")
_KINDS = _words("kind, type, entity, model")
_NAMING = _words("id, kind, type, name, code")
_ABOUT = _words(
    "entity, object, target, subject, item, content, resource, thing, model, kind, type"
)
_BEFORE = _words("is, was, has, been, are, soft, account, row, record, entry")
_AFTER = _words("at, on, date, time, ts, timestamp, flag, since, utc, ms")
_WRITTEN = _words("created, inserted, updated, modified, changed, made, added, recorded, noted")
_FIRST_AND_LAST = _words("first, last, latest")
_ROUND_A_LOOK = _words("first, last, latest, times, num, count")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_RUN_TOGETHER = re.compile(r"(?:is|has|was)?(.+?)(?:at|on|date|time)?")
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


def tells_of_view(column: Column, table: str) -> Telling | None:
    """What a column of the impressions says, by its name; `table` is that table's name."""
    words = words_of(column.name)
    name = _core(words, [*_singulars(table), "artwork", "user"], _ROUND_A_LOOK)
    sort = sort_of(column)
    if sort is not None and name in SEEN | UNSEEN:
        return Telling(column, Says.COUNTS if name in SEEN else Says.EXCLUDED, sort)
    # `kind_id`; and an `event_type` tells events apart, and not what the row is about.
    if len(words) > 1 and (
        (words[-1] == "id" and words[-2] in _KINDS)
        or (words[-1] in _NAMING and words[-2] in _STATES)
    ):
        words = words[:-1]
    if not words or not _may_be_few(column):
        return None
    if words[-1] in _STATES:
        return Telling(column, Says.STATE, Sort.VALUE)
    return Telling(column, Says.KIND, Sort.VALUE) if words[-1] in _KINDS else None


def tells_of_use(column: Column, table: str, *, of_users: bool) -> Telling | None:
    """What a column of the artworks or users says, by its name."""
    words = words_of(column.name)
    name = _core(words, [*_singulars(table), "artwork", "user"])
    sort = sort_of(column)
    if sort is not None and name in (GONE | THERE) - (_PROFILE if of_users else frozenset()):
        return Telling(column, Says.COUNTS if name in THERE else Says.EXCLUDED, sort)
    if words and words[-1] in _STANDING and column.category in "SE":
        return Telling(column, Says.STATE, Sort.VALUE)
    return None


def is_about_entities(name: str, artwork_column: str) -> bool:
    """Whether a kind's name says that the id beside it may be of several tables."""
    words = words_of(name.removesuffix("_id"))
    stem = words_of(artwork_column.removesuffix("_id").removesuffix("Id"))
    return words[:-1] in ((), stem) or words[0] in _ABOUT


def says_gone(value: str) -> bool:
    """Whether a value is a word for what the app no longer shows."""
    return _core(words_of(value), ()) in GONE


def says_seen(value: str) -> bool:
    """Whether a value is a word for having been shown."""
    return _core(words_of(value), ()) in SEEN | _SEEN_BY


def is_use(values: Iterable[str]) -> bool:
    """Whether every value is a word for being in use or gone, some for the latter."""
    words = [_core(words_of(value), ()) for value in values]
    return any(word in GONE for word in words) and all(word in GONE | _PRESENT for word in words)


def says_written(name: str) -> bool:
    """Whether a moment is when its row was made or changed: `created_at`, `first_seen`."""
    words = words_of(name)
    while len(words) > 1 and words[-1] in _AFTER:
        words = words[:-1]
    if len(words) > 1 and words[0] in _FIRST_AND_LAST:
        words = words[1:]
    core = " ".join(words)
    return core in _WRITTEN or core in _FIRST_AND_LAST or core in SEEN


def words_of(name: str) -> tuple[str, ...]:
    """`isRead` is `is`, `read`."""
    return tuple(word.lower() for word in _WORD.findall(name))


def names(word: str, table: str) -> bool:
    """Whether a kind's value is the table's own name: `print` of `prints`."""
    return _singulars(word) == _singulars(table)


def _core(
    words: tuple[str, ...], nouns: Iterable[str], around: frozenset[str] = frozenset()
) -> str:
    """The words without what stands around them in every app."""
    before, after = _BEFORE | around | set(nouns), _AFTER | around
    while len(words) > 1 and " ".join(words) not in VOCABULARY:
        if words[-1] in after:
            words = words[:-1]
        elif words[0] in before:
            words = words[1:]
        else:
            break
    core = " ".join(words)
    parted = _RUN_TOGETHER.fullmatch(core) if len(words) == 1 else None
    return core if parted is None or core in VOCABULARY else parted[1]


def _singulars(table: str) -> list[str]:
    return [word.removesuffix("s") for word in words_of(table)]


def sort_of(column: Column) -> Sort | None:
    """How a column says yes or no; None where its type can't."""
    if column.cast == "boolean":
        return Sort.FLAG
    if column.category == "D" and not column.cast.startswith("time "):
        return Sort.MOMENT
    return Sort.NUMBER if column.cast in _INTEGERS else None


def _may_be_few(column: Column) -> bool:
    return column.category in "SE" or column.cast in _INTEGERS
