"""One catalog: what names, keys and sampled rows say of three tables, then what doctor proposes of
it, round by round, until it proposes nothing more. What is left is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from checks.census import Census, take_census
from checks.discover.answers import Choice, Question, View
from checks.discover.candidates import Candidate
from checks.discover.moments import created_at, viewed_at
from checks.discover.people import narrowed
from checks.discover.sampling import TRUE, Sampler
from checks.discover.sets import (
    Listing,
    listing,
    membership,
    one_of_each,
    owner,
    shown_by_flag,
)
from checks.discover.tables import Tables
from checks.discover.undecided import undecided
from checks.doctor.counting_rows import also
from checks.doctor.findings import Blocks, Examination, Finding
from checks.doctor.rules import examine
from checks.errors import Refusal
from checks.spec import Cutoffs
from monitor.config import Settings
from monitor.config.errors import ErrorCollector
from monitor.config.section import validate
from monitor.database import database_now
from monitor.discovery.proposals import proposed_settings

_ROUNDS = 5
_NOBODY_SAW = "artworks_nobody_saw"
_OF_PAIRS = frozenset({"nobody_crosses", _NOBODY_SAW, "suspicion_untold"})
"""What a view of the pairs answers."""
_WITHOUT_ZONE = frozenset({"moment_without_zone", "moment_is_date"})
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_ANY_URL = "postgresql://localhost"


@dataclass(frozen=True, slots=True)
class Draft:
    """A catalog, and all that is to be said of it."""

    candidate: Candidate
    catalog: Mapping[str, Any]
    evidence: Mapping[str, Sequence[str]]
    """By the path of the setting below `catalog`."""
    questions: tuple[Question, ...]
    views: tuple[View, ...]
    """To be made first: the catalog names them."""
    findings: tuple[Finding, ...]
    """What doctor would still say."""
    census: Census | None
    uncounted: str
    """Why there is no census; empty where there is one, or none was asked for."""


@dataclass
class _Notes:
    """The catalog as far as it is known."""

    catalog: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, list[str]] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    def choose(self, choice: Choice) -> None:
        """Take the choice in; conditions and columns go beside those that are there."""
        section, key = choice.path.split(".")
        there = self.catalog.setdefault(section, {})
        value = choice.value
        if key == "where":
            value = also(there.get(key), value)
        elif key == "defaults":
            value = {**there.get(key, {}), **value}
            for column in choice.value:
                self.tell(f"{choice.path}.{column}", choice.evidence)
        there[key] = value
        if key != "defaults":
            self.tell(choice.path, choice.evidence)

    def tell(self, path: str, evidence: str) -> None:
        """What speaks for a setting."""
        told = self.evidence.setdefault(path, [])
        if evidence not in told:
            told.append(evidence)

    def settings(self) -> Settings:
        """The catalog as settings; the database is none of its business."""
        data = {"database": {"url": _ANY_URL}, "catalog": self.catalog}
        return validate(Settings, data, ErrorCollector(), Path())


class Drafter:
    """Drafts catalogs. The sampler's connection is inside a read-only transaction."""

    def __init__(self, sampler: Sampler, tables: Tables, patience: timedelta) -> None:
        """`patience` bounds each of doctor's questions."""
        self._sampler = sampler
        self._tables = tables
        self._patience = patience

    async def draft(self, candidate: Candidate, *, count: bool) -> Draft:
        """The candidate's catalog; with the first count where that is asked for."""
        sampler, notes = self._sampler, _Notes()
        viewed, column = await viewed_at(sampler, candidate)
        candidate = await narrowed(sampler, self._tables, candidate, column)
        _name(notes, candidate)
        notes.choose(viewed)
        created = await created_at(sampler, candidate, column)
        if isinstance(created, Question):
            notes.questions.append(created)
        else:
            notes.choose(created)
        listed = await self._pairs(notes, candidate)
        examination = None
        if not isinstance(created, Question):
            examination = await self._rounds(notes, candidate, explained=listed is not None)
        conditions = repr([notes.catalog[one].get("where") for one in ("users", "artworks")])
        notes.questions += await undecided(sampler, candidate, conditions)
        census, why = None, ""
        if listed is not None and listed.view is not None:
            _list(notes, listed, listed.view.evidence)
            why = f"{listed.view.name} has to be there first"
        elif count:
            census, why = await self._count(notes, examination)
        return _drafted(notes, candidate, listed, examination, census, why)

    async def _pairs(self, notes: _Notes, candidate: Candidate) -> Listing | None:
        """Who may be shown what, as far as other tables know."""
        own = await owner(self._sampler, candidate)
        if own is not None:
            notes.choose(own)
            return None
        each = await one_of_each(self._sampler, candidate)
        if each is not None:
            for choice in each[0]:
                notes.choose(choice)
            notes.questions.append(each[1])
            return None
        found = await membership(self._sampler, self._tables, candidate, TRUE)
        if found is None:
            return None
        listed = listing(self._tables, candidate, *found)
        if listed.view is None:
            _list(notes, listed, found[1])
        return listed

    async def _rounds(self, notes: _Notes, candidate: Candidate, *, explained: bool) -> Examination:
        """What doctor says once it proposes nothing more. `explained`: who may be shown what."""
        for _ in range(_ROUNDS):
            settings = notes.settings()
            examination = await self._examine(settings)
            proposed = proposed_settings(examination, settings).get("catalog", notes.catalog)
            if proposed != notes.catalog:
                notes.catalog = proposed
                _tell(notes, examination.findings)
                continue
            codes = {one.code for one in examination.findings}
            flag = None
            if _NOBODY_SAW in codes and not explained:
                flag, explained = await self._flag(examination, candidate), True
            if flag is None:
                return examination
            notes.choose(flag)
        return await self._examine(notes.settings())

    async def _flag(self, examination: Examination, candidate: Candidate) -> Choice | None:
        catalogue = examination.catalogue
        indexed = catalogue is not None and (
            catalogue.impressions.index_leading_with(candidate.artwork.column) is not None
        )
        return await shown_by_flag(self._sampler, self._tables, candidate, indexed)

    async def _examine(self, settings: Settings) -> Examination:
        connection = self._sampler.connection
        async with connection.begin_nested() as savepoint:
            found = await examine(
                connection,
                settings.catalog_spec(),
                settings.pools_spec(),
                state_schema=settings.database.state_schema,
                patience=self._patience,
            )
            await savepoint.rollback()  # with what it has set for its questions
        return found

    async def _count(
        self, notes: _Notes, examination: Examination | None
    ) -> tuple[Census | None, str]:
        if examination is None:
            return None, notes.questions[0].text
        blocking = examination.blocking(Blocks.COUNTING)
        counting = [one for one in blocking if one.blocks is Blocks.COUNTING]
        if counting or examination.catalogue is None:
            told = counting[0].problem if counting else "a table or column is missing"
            return None, f"something blocks counting: {told}"
        connection, pools = self._sampler.connection, notes.settings().pools_spec()
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        try:
            async with connection.begin_nested():
                return await take_census(connection, examination.catalogue, pools, cutoffs), ""
        except DBAPIError as error:
            if error.connection_invalidated or not isinstance(error.orig, psycopg.Error):
                raise
            return None, f"PostgreSQL: {Refusal.of(error.orig).message}"


def _drafted(
    notes: _Notes,
    candidate: Candidate,
    listed: Listing | None,
    examination: Examination | None,
    census: Census | None,
    uncounted: str,
) -> Draft:
    findings = () if examination is None else examination.findings
    view = None if listed is None else listed.view
    if listed is not None and view is not None:
        filled = {f".{column}" for column in listed.values}
        findings = tuple(
            one
            for one in findings
            if one.code not in _OF_PAIRS and not any(map(one.subject.endswith, filled))
        )
    blocking = [one for one in findings if one.blocks is not Blocks.NOTHING]
    asked = [_asked(one, notes.catalog) for one in blocking]
    return Draft(
        candidate,
        notes.catalog,
        notes.evidence,
        (*notes.questions, *asked, *_zone(findings)),
        () if view is None else (view,),
        findings,
        census,
        uncounted,
    )


def _name(notes: _Notes, candidate: Candidate) -> None:
    """The three tables, their ids and the two columns."""
    user, artwork = candidate.user, candidate.artwork
    for section, reference in (("artworks", artwork), ("users", user)):
        why = (
            f"{candidate.impressions.configured}.{reference.column} leads there by {reference.how}"
        )
        notes.choose(Choice(f"{section}.table", reference.table.configured, why))
        once = (
            "unique by an index" if reference.table.is_unique(reference.id) else "no unique index"
        )
        notes.choose(Choice(f"{section}.id", reference.id, once))
    signs = "; ".join(one.text for one in candidate.signs if one.weight > 0)
    notes.choose(Choice("impressions.table", candidate.impressions.configured, signs))
    notes.choose(Choice("impressions.user", user.column, f"leads to {user.table.configured}"))
    notes.choose(
        Choice("impressions.artwork", artwork.column, f"leads to {artwork.table.configured}")
    )


def _list(notes: _Notes, listed: Listing, evidence: str) -> None:
    notes.choose(Choice("pairs.through", dict(listed.through), evidence))
    if listed.values:
        why = "what the pair's own row has"
        notes.choose(Choice("impressions.defaults", dict(listed.values), why))


def _tell(notes: _Notes, findings: Iterable[Finding]) -> None:
    """What doctor's findings say for the settings that they propose."""
    for one in findings:
        told = masked(f"{one.subject}: {one.problem} {one.remedy}".strip(), notes.catalog)
        for path, value in one.settings.items():
            below = path.removeprefix("catalog.")
            if below in ("impressions.defaults", "impressions.set"):
                for column in value:
                    notes.tell(f"{below}.{column}", told)
            else:
                notes.tell(below, told)


def _asked(finding: Finding, catalog: Mapping[str, Any]) -> Question:
    return Question(
        finding.subject,
        masked(f"{finding.problem} {finding.consequence}", catalog),
        tuple(line for line in masked(finding.mending, catalog).splitlines() if line.strip()),
    )


def _zone(findings: Iterable[Finding]) -> Iterator[Question]:
    """In which zone the app writes is in no table."""
    told = [one.subject for one in findings if one.code in _WITHOUT_ZONE]
    if told:
        yield Question(
            "catalog.timezone",
            f"{', '.join(dict.fromkeys(told))}: without time zone, read in UTC. Whether the app"
            " writes them so, the tables don't say.",
            ("timezone: UTC", "timezone: <the zone in which the app's sessions write>"),
        )


def masked(text: str, catalog: Mapping[str, Any]) -> str:
    """The text without values that were sampled, but for those that the settings have to name."""
    settings = repr(catalog)

    def hide(match: re.Match[str]) -> str:
        value = match[1]
        shown = not value or value in settings or value in _OUR_OWN
        return match[0] if shown else f"<text of {len(value)}>"

    return _LITERAL.sub(hide, text)


_OUR_OWN = frozenset({"UTC", "YYYYMMDD", "YYYY-MM-DD"})
