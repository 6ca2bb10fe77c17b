"""What the names of tables and columns say: people, works, having been seen. A name alone decides
nothing; it only says where to look first."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from checks.doctor.column_words import GONE, SEEN, UNSEEN, words_of


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PEOPLE = _listed(
    """user account person people member visitor guest patron customer client viewer reader
    subscriber player learner student follower fan profile listener watcher holder recipient
    audience participant contact collector who"""
)
_WORKS = _listed(
    """artwork art piece work print picture image photo painting drawing poster placard sheet card
    slide exhibit exhibition item thing article post story page video clip film movie song track
    episode content media asset creation announcement notice banner question lesson puzzle
    recommendation entry session"""
)
_SEEINGS = SEEN | {
    *("impression", "exposure", "sighting", "viewing", "opening", "visit", "glance", "seeing"),
    *("showing", "appearance", "tick", "dismissal", "encounter"),
}
_OTHERWISE = _listed(
    """order cart basket payment invoice purchase sale review rating like favorite favourite wish
    wishlist role permission tag category membership enrolment enrollment subscription invitation
    comment reply message vote bid booking reservation ticket coupon address stock price line
    assignment follow friend block report shipment return refund quote discount grant"""
)
"""Pairs of people and things that are about something else than having been shown."""
_KEYS = frozenset({"id", "no", "nr", "uuid", "guid", "code", "key", "number", "ref", "oid", "fk"})
_LOGINS = _listed(
    """email mail handle nick nickname login username password joined newsletter
    firstname lastname phone"""
)
_TITLES = _listed(
    "title caption wording url uri prompt description thumbnail artist body text headline"
)
_CREATED = _listed(
    """created made added inserted published posted hung uploaded born drawn listed released
    painted began started shown creation"""
)
_CHANGED = _listed(
    """updated modified changed moved edited touched synced latest last refreshed deleted ended
    expires expired until due"""
)


class NameRank(IntEnum):
    """How well a moment's name fits an artwork's beginning; the lowest is the best."""

    CREATED = 0
    NEUTRAL = 1
    CHANGED = 2
    GONE = 3


def singular(word: str) -> str:
    """The word without a plural's ending, roughly: compared with others of the same make only."""
    if word == "people":
        return "person"
    if word.endswith("ies") and len(word) > len("ties"):
        return f"{word[:-3]}y"
    plural = word.endswith("s") and not word.endswith("ss") and len(word) > len("is")
    return word[:-1] if plural else word


def stem(name: str) -> tuple[str, ...]:
    """The words of a name in the singular, without what says that it is a key."""
    words = tuple(singular(word) for word in words_of(name))
    while len(words) > 1 and words[-1] in _KEYS:
        words = words[:-1]
    return words


def is_bare_key(name: str) -> bool:
    """Whether a column's name says that it is a key, and not whose."""
    return {*words_of(name)} <= _KEYS


def says_people(*names: str) -> bool:
    """Whether a name is one of people."""
    return _has(names, _PEOPLE)


def says_works(*names: str) -> bool:
    """Whether a name is one of what is shown."""
    return _has(names, _WORKS)


def says_seeing(name: str) -> bool:
    """Whether a table's name says that something was seen."""
    return _has((name,), _SEEINGS)


def says_otherwise(name: str) -> bool:
    """Whether a table's name says that it is about something else."""
    return _has((name,), _OTHERWISE) and not says_seeing(name)


def has_logins(names: Iterable[str]) -> bool:
    """Whether columns are those of people who sign in."""
    return _has(names, _LOGINS)


def has_titles(names: Iterable[str]) -> bool:
    """Whether columns are those of something that is looked at."""
    return _has(names, _TITLES)


def rank_of(name: str) -> NameRank:
    """What the name of a moment says of it."""
    words = {*words_of(name)}
    if words & (GONE | UNSEEN):
        return NameRank.GONE
    relabelled = any(word.startswith("re") and word.endswith("ed") for word in words)
    if words & _CHANGED or (relabelled and not words & _CREATED):
        return NameRank.CHANGED
    return NameRank.CREATED if words & _CREATED else NameRank.NEUTRAL


def _has(names: Iterable[str], wanted: frozenset[str] | set[str]) -> bool:
    return any(
        word in wanted or singular(word) in wanted for name in names for word in words_of(name)
    )
