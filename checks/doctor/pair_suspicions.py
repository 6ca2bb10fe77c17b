"""Suspicions about who is paired with what: signs in the impressions that the counts can't mean
what they say, though every name in the configuration is right."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from checks.doctor.ddl import quoted, table
from checks.doctor.findings import Finding, Mending, advice, healing_error, warning
from checks.doctor.input import DoctorInput, PairEvidence
from checks.doctor.own_values import plain
from checks.doctor.pair_evidence import (
    Crossing,
    Named,
    SharedColumn,
    SharedValues,
    ViewedBefore,
)
from checks.errors import Refusal
from checks.fragments import MomentColumn
from checks.relations import Column, Relation
from checks.spec import CatalogueSpec

_NO_PRIVILEGE = "42501"
_UNANSWERED = {
    _NO_PRIVILEGE: "the role may not read it",
    "57014": "there was no answer in time",
    "55P03": "a lock was in the way",
    "0A000": "these tables can't be joined where they lie",
}
"""Refusals of which no other rule tells, by SQLSTATE."""


def nobody_crosses(given: DoctorInput) -> Iterator[Finding]:
    """Users are shown artworks of their own tenant, team or site only, and nothing says so."""
    users, artworks = given.facts.users, given.facts.artworks
    if users is None or artworks is None:
        return
    evidence = given.evidence.pairs
    for shared, answer in evidence.crossings.items():
        name = f"nobody_crosses_{shared.of_users.name}"
        subject = (
            f"{users.configured}.{shared.of_users.name},"
            f" {artworks.configured}.{shared.of_artworks.name}"
        )
        if isinstance(answer, Refusal):
            yield from _not_told(given, answer, name, subject, grave=shared.referred is not None)
        elif answer.hardly_any or (answer.is_of_one_value and answer.leaves_some_out):
            yield healing_error(
                "nobody_crosses",
                subject,
                problem=f"{_shared(shared, answer.values)} {_crossed(answer, evidence)}",
                consequence=(
                    f"{_lost_pairs(answer.values)}Healing would write that users have seen"
                    " artworks that belong to others."
                ),
                **_pairs(given.spec, shared, answer),
                accepted_as=name,
            )


def _pairs(spec: CatalogueSpec, shared: SharedColumn, answer: Crossing) -> Mending:
    """`pairs.same` with one more, where nothing is for everybody."""
    if not answer.says_all:
        beside = answer.unvalued + answer.elsewhere - answer.crossing
        return {
            "remedy": (
                f"{beside:,} impressions are of other values, or of none: of artworks for"
                " everybody, perhaps. Let catalog.pairs.through name a view of who may be shown"
                " what; catalog.pairs.same would leave these out."
            )
        }
    there = [{"user": one.user, "artwork": one.artwork} for one in spec.pairs.same]
    one_more = {"user": shared.of_users.name, "artwork": shared.of_artworks.name}
    return {"settings": {"catalog.pairs.same": [*there, one_more]}}


def _shared(shared: SharedColumn, values: SharedValues | None) -> str:
    how = "by name" if shared.referred is None else f"by foreign keys to {shared.referred}"
    if values is None:
        return f"Users and artworks share it, {how}."
    sizes = ", ".join(f"{users:,} and {artworks:,}" for users, artworks in values.largest)
    more = " …" if values.values > len(values.largest) else ""
    return (
        f"Users and artworks share it, {how}. By value, {values.values:,} in all, there are {sizes}"
        f"{more} of them."
    )


def _crossed(answer: Crossing, evidence: PairEvidence) -> str:
    if answer.is_of_one_value:
        return (
            f"Of {answer.impressions:,} impressions{_looked_at(evidence)} none crosses from one"
            " value to another, and hardly any are of another value than most."
        )
    return (
        f"Of {answer.impressions:,} impressions{_looked_at(evidence)} {answer.crossing:,} cross"
        " from one value to another; if everybody were shown everything, about"
        f" {answer.expected:,.0f} would."
    )


def _lost_pairs(values: SharedValues | None) -> str:
    if values is None:
        return ""
    return (
        f"{values.across:,} of {values.pairs:,} pairs lie across, {values.aged:,} of them old"
        " enough for legacy: they look unseen, and nobody can ever see them. "
    )


def nothing_viewed_before(given: DoctorInput) -> Iterator[Finding]:
    """Users whose history was deleted on purpose, at a moment that stands in the users table."""
    users, evidence = given.facts.users, given.evidence.pairs
    if users is None or evidence.joined is None:
        return
    for name, answer in evidence.viewed_before.items():
        accepted_as, subject = f"nothing_viewed_before_{name}", f"{users.configured}.{name}"
        if isinstance(answer, Refusal):
            yield from _not_told(given, answer, accepted_as, subject, grave=False)
        elif answer.hardly_any:
            yield healing_error(
                "nothing_viewed_before",
                subject,
                problem=_nothing_viewed(answer, evidence.joined, evidence),
                consequence=(
                    "Their history looks deleted on purpose at that moment. What they saw before"
                    " counts as legacy, and healing would write it back."
                ),
                remedy="Artworks older than that are never legacy then.",
                settings={
                    "catalog.users.created_at": {
                        "sql": _later(given.spec, evidence.joined, users.columns[name])
                    }
                },
                accepted_as=accepted_as,
            )


def _nothing_viewed(answer: ViewedBefore, joined: Column, evidence: PairEvidence) -> str:
    return (
        f"{answer.users:,} of {answer.users + answer.users_without:,} users with impressions have"
        f" it, more than a week after {joined.name}. {answer.viewed:,} impressions"
        f"{_looked_at(evidence)} say that they viewed something before it;"
        f" {answer.expected:,.0f} would if they had been like the {answer.users_without:,} without"
        " it."
    )


def _later(spec: CatalogueSpec, joined: Column, mark: Column) -> str:
    """The later of both moments; the second is NULL for many."""
    both = [
        plain(column.name)
        if joined.cast == mark.cast
        else MomentColumn(column, spec.timezone).moment().as_string(None).replace("%%", "%")
        for column in (joined, mark)
    ]
    return f"greatest({', '.join(both)})"


def somebody_saw_each(given: DoctorInput) -> Iterator[Finding]:
    """Artworks that the app shows to nobody, for a reason that another table knows."""
    artworks, seen = given.facts.artworks, given.evidence.pairs.never_seen
    if artworks is None or seen is None or not seen.many:
        return
    yield healing_error(
        "artworks_nobody_saw",
        artworks.configured,
        problem=(
            f"{seen.never_seen:,} of {seen.artworks:,} artworks old enough for legacy were seen by"
            f" nobody, though each hung between two that half of {seen.users:,} users have seen:"
            " no outage leaves such gaps."
        ),
        consequence=(
            "The app probably shows them to nobody. Healing would write that everybody has seen"
            " them."
        ),
        remedy=(
            "Leave them out by catalog.artworks.where, or over a view, should another table say"
            " which artworks are shown."
        ),
        accepted_as="artworks_nobody_saw",
    )


def unknown_ids(given: DoctorInput) -> Iterator[Finding]:
    """Impressions of people who are no users here, or of things that are no artworks here.

    What the operator's own filter leaves out, and a few whose rows are gone, are told and no
    suspicion.
    """
    impressions, spec = given.facts.impressions, given.spec.impressions
    targets = (
        ("artworks", given.facts.artworks, spec.artwork),
        ("users", given.facts.users, spec.user),
    )
    for key, target, column in targets:
        named = given.evidence.pairs.named.get(key)
        if impressions is None or target is None or named is None or not named.unknown_ids:
            continue
        make = partial(warning, accepted_as=f"unknown_{key}") if named.many_gone else advice
        yield make(
            f"unknown_{key}",
            f"{impressions.configured}.{column}",
            problem=_unknown(named, target, given.evidence.pairs, key)
            + _referred_instead(impressions, target, column, key),
            consequence="They count nowhere, and are no fault where that is meant.",
            remedy=f"-- nothing; or, where they should count: catalog.{key}.table and .where",
        )


def _unknown(named: Named, target: Relation, evidence: PairEvidence, key: str) -> str:
    left_out = ""
    if named.unknown_ids > named.gone_ids:
        left_out = (
            f", {named.unknown_ids - named.gone_ids:,} of them left out by catalog.{key}.where"
        )
    return (
        f"{named.unknown_impressions:,} of {named.impressions:,} impressions{_looked_at(evidence)}"
        f" name {named.unknown_ids:,} ids (of {named.ids:,}) that are no {key} of"
        f" {target.configured}{left_out}."
    )


def _referred_instead(impressions: Relation, target: Relation, column: str, key: str) -> str:
    """The other table that a validated foreign key says they belong to."""
    others = [
        foreign.target
        for foreign in impressions.foreign_keys
        if foreign.columns == (column,) and foreign.validated and foreign.target_oid != target.oid
    ]
    if not others:
        return ""
    return f" A foreign key says what they are: rows of {others[0]} that are no {key} here."


def _looked_at(evidence: PairEvidence) -> str:
    return " looked at (a part of all)" if evidence.sampled else ""


def _not_told(
    given: DoctorInput, refusal: Refusal, name: str, subject: str, *, grave: bool
) -> Iterator[Finding]:
    """A suspicion that could not be looked into: a `grave` one blocks healing all the same."""
    tables = [relation for _, relation in given.facts.found]
    why = _UNANSWERED.get(refusal.sqlstate)
    if why is None or not all(relation.can_select for relation in tables):
        return
    remedy = "-- run doctor again when the database is less busy"
    if refusal.sqlstate == _NO_PRIVILEGE:
        read = [table(one) for one in tables if one is not given.facts.impressions]
        remedy = f"GRANT SELECT ON {', '.join(read)} TO {quoted(given.facts.role)};"
    make = healing_error if grave else warning
    yield make(
        "suspicion_untold",
        subject,
        problem=f"Whether it is so that {name} could not be told: {why} ({refusal.message}).",
        consequence="If it is, pairs look legacy that must never be written.",
        remedy=remedy,
        accepted_as=name,
    )
