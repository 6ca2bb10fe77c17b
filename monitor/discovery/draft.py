"""One catalog: what names, keys and sampled rows say of three tables, then what doctor proposes of
it, round by round, until it proposes nothing more. What is left is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
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
from checks.doctor.findings import Blocks, Examination, Finding
from checks.doctor.rules import examine
from checks.errors import Refusal
from checks.spec import Cutoffs
from monitor.config import Settings
from monitor.database import database_now
from monitor.discovery.notes import Notes, list_pairs, name_tables, tell_findings
from monitor.discovery.proposals import proposed_settings
from monitor.discovery.questions import questions_of

_ROUNDS = 5
_NOBODY_SAW = "artworks_nobody_saw"
_OF_PAIRS = frozenset({"nobody_crosses", _NOBODY_SAW, "suspicion_untold"})
"""What a view of the pairs answers."""


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


class Drafter:
    """Drafts catalogs. The sampler's connection is inside a read-only transaction."""

    def __init__(self, sampler: Sampler, tables: Tables, patience: timedelta) -> None:
        """`patience` bounds each of doctor's questions."""
        self._sampler = sampler
        self._tables = tables
        self._patience = patience

    async def draft(self, candidate: Candidate, *, count: bool) -> Draft:
        """The candidate's catalog; with the first count where that is asked for."""
        sampler, notes = self._sampler, Notes()
        viewed, column = await viewed_at(sampler, candidate)
        candidate = await narrowed(sampler, self._tables, candidate, column)
        name_tables(notes, candidate)
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
            list_pairs(notes, listed, listed.view.evidence)
            why = f"{listed.view.name} has to be there first"
        elif count:
            census, why = await self._count(notes, examination)
        return _drafted(notes, candidate, listed, examination, census, why)

    async def _pairs(self, notes: Notes, candidate: Candidate) -> Listing | None:
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
            list_pairs(notes, listed, found[1])
        return listed

    async def _rounds(self, notes: Notes, candidate: Candidate, *, explained: bool) -> Examination:
        """What doctor says once it proposes nothing more. `explained`: who may be shown what."""
        for _ in range(_ROUNDS):
            settings = notes.settings()
            examination = await self._examine(settings)
            proposed = proposed_settings(examination, settings).get("catalog", notes.catalog)
            if proposed != notes.catalog:
                notes.catalog = proposed
                tell_findings(notes, examination.findings)
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
        self, notes: Notes, examination: Examination | None
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
    notes: Notes,
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
    return Draft(
        candidate,
        notes.catalog,
        notes.evidence,
        (*notes.questions, *questions_of(findings, notes.catalog)),
        () if view is None else (view,),
        findings,
        census,
        uncounted,
    )
