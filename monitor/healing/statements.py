"""The healing statements, rendered for one catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from psycopg import sql
from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.affected import affected_users
from checks.census import Census, take_census
from checks.citus.cluster import LEDGER
from checks.citus.forms import form_of
from checks.fragments import few_artworks, table
from checks.halves import SideBySide
from checks.pair_fragments import has_one_row_a_pair
from checks.pipeline import Statement
from checks.relations import Engine
from checks.row_security import RowGuard, guard_of
from checks.spec import Audience, Cutoffs
from checks.state_columns import FOLLOWERS, originals
from checks.statements import Fragments, compose, identifier, raw, render, template
from monitor.database import database_now
from monitor.healing.row_shape import PACKAGE, row_fragments
from monitor.state.control import read_control
from monitor.state.runs import RunKind
from monitor.state.statements import StateStatements
from monitor.state.stored_text import stored

_NOBODY = "SELECT NULL::{user_cast} AS user_id, NULL::{artwork_cast} AS artwork_id WHERE FALSE"
_NOTHING_ASIDE = "SELECT NULL::{user_cast} AS user_id, 0::bigint AS pairs WHERE FALSE"
_BEHIND_UNDO_CURSOR = (
    "(b.user_id, b.artwork_id) > (%(user_cursor)s::{impression_user_cast},"
    " %(artwork_cursor)s::{artwork_cast}::{impression_artwork_cast})"
)
_NONE_COUNTS = (
    "NOT EXISTS (SELECT 1 FROM {impressions} AS c"
    " WHERE c.{user} = i.{user} AND c.{artwork} = i.{artwork})"
)
_IN_THE_WAY = (
    "EXISTS (SELECT 1 FROM {rows_in_the_way} AS i"
    " WHERE i.{user} = m.user_id AND i.{artwork} = m.artwork_id)"
)
_IS_LISTED = "(w.artworks IS NULL OR a.id::text = ANY (w.artworks))"
_ASKED_FOR = ", array_agg(m.user_id::text) AS users, array_agg(m.artwork_id::text) AS artworks"


ANY_SHAPE: Mapping[str, str] = {
    "batch_insert": "batch_insert_any_shape",
    "batch_read_back": "batch_read_back_any_shape",
    "undo_batch": "undo_batch_any_shape",
    "undo_left": "undo_left_any_shape",
    "undo_survey": "undo_survey_any_shape",
}
"""The forms of the statements where pair and time of viewing do not tell a row: they know it by all
that stands in it."""


class Part(StrEnum):
    """What a batch takes of the work list."""

    USERS = "users"
    """Whole users, each with what was planned for it."""
    SPLIT = "split"
    """One user's artworks behind the cursor, up to the slice's limit, in the cursor's order."""
    PAIR = "pair"
    """One user with the artwork that `artwork_cursor` names."""


class HealingStatements:
    """Renders the statements of `monitor/healing/sql`, each form once; parameters unbound."""

    def __init__(self, state: StateStatements, *, followed: bool = True) -> None:
        """`followed`: our own tables follow the types of this catalogue, which is the present
        one; else the caller has seen that they compare with its own."""
        self.state = state
        self._followed = followed
        self._rendered: dict[tuple[object, ...], str] = {}

    @cached_property
    def fragments(self) -> Fragments:
        """Everything that healing statements may name, for a run over the audience."""
        return self._composed(self.state.fragments)

    @cached_property
    def _few(self) -> Mapping[bool, Fragments]:
        """The same about the artworks `%(incomplete)s` alone; by whether in one pass over all."""
        catalogue, names = self.state.catalogue, self.state.fragments
        return {
            one_pass: self._composed(few_artworks(catalogue, names, one_pass=one_pass))
            for one_pass in (False, True)
        }

    def _about(self, few: bool, one_pass: bool = False) -> Fragments:
        return self._few[one_pass] if few else self.fragments

    def _composed(self, base: Fragments) -> Fragments:
        names = dict(base)
        names["affected_users"] = affected_users(self.state.catalogue, names)
        names |= row_fragments(self.state.catalogue)
        names["types_read"] = self._types_read()
        names["types_as_read"] = compose(template(PACKAGE, "types_as_read"), names)
        names["batch_begin"] = compose(template(PACKAGE, "batch_begin"), names)
        for name in ("quarantined_pairs", "quarantined_by_user"):
            form = form_of(self.state.catalogue.engine, name)
            names[name] = compose(template(PACKAGE, form), names)
        names |= self._unwritable(names)
        names["work"] = raw("{state}.work").format(**names)
        names["work_list"] = compose(template(PACKAGE, "work_list"), names)
        return names

    def _unwritable(self, names: Fragments) -> Fragments:
        """Of each user, the pairs that no run writes: put aside, or left alone."""
        if not self.state.catalogue.spec.impressions.leaves_alone:
            return {"unwritable_by_user": names["quarantined_by_user"]}
        found = {"left_to": names["audience"], **names}
        # Where a pair has one row, that is the one that does not count.
        once = has_one_row_a_pair(self.state.catalogue)
        found["each_pair"] = raw("" if once else "DISTINCT")
        found["none_counts"] = raw("TRUE" if once else _NONE_COUNTS).format(**names)
        form = form_of(self.state.catalogue.engine, "left_alone")
        found["left_alone"] = compose(template(PACKAGE, form), found)
        by_user = compose(template(PACKAGE, "left_alone_by_user"), found)
        return {**found, "unwritable_by_user": by_user}

    def _types_read(self) -> sql.Composable:
        """Relation, column, type and collation of what batches compare and write: a wrong type in
        any other column of ours can't do more than fail."""
        catalogue, schema = self.state.catalogue, self.state.state_schema
        app = (
            (table(relation), column, column.oid, name)
            for role, relation in catalogue.relations
            for name, column in relation.columns.items()
            if name in role.read
        )
        wanted = originals(catalogue)
        ours = (
            (identifier(schema, relation), wanted[original], wanted[original].base_oid, name)
            for (relation, name), original in FOLLOWERS.items()
            if self._followed and relation in (LEDGER, "work")
        )
        return sql.SQL(", ").join(
            sql.SQL("({}, {}, {}, {})").format(
                relation.as_string(None), name.replace("%", "%%"), oid, column.collation_oid
            )
            for relation, column, oid, name in (*app, *ours)
        )

    def statement(self, name: str, values: Mapping[str, object]) -> Statement:
        """The statement `name` with its parameters, to be sent along with others."""
        return Statement(self.text(name), stored(values))

    async def run(
        self, connection: AsyncConnection, name: str, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Run the statement `name` with its parameters: about the artworks `incomplete` alone where
        that is among them and not None."""
        values = stored(values)
        few, one_pass = values.get("incomplete") is not None, bool(values.get("one_pass"))
        text = self.text(name, few=few, one_pass=one_pass)
        return await connection.exec_driver_sql(text, values)

    def text(self, name: str, *, few: bool = False, one_pass: bool = False) -> str:
        """The statement `name`; `few`: about the artworks `%(incomplete)s` alone, `one_pass` as in
        `few_artworks`."""
        return self._render(name, (few, one_pass), lambda: self._about(few, one_pass))

    def batch_insert(
        self,
        kind: RunKind,
        part: Part,
        *,
        quarantine: bool,
        reads_back: bool = False,
        few: bool = False,
    ) -> str:
        """The statement that writes. `quarantine`: there are pairs in it, which are left alone;
        without any, it isn't slowed down by looking. `reads_back`: it returns the pairs, too.
        `few`: about the artworks `%(incomplete)s` alone."""
        asked_for = raw(_ASKED_FOR if reads_back else "")
        return self._render(
            "batch_insert",
            (kind, part, quarantine, reads_back, few),
            lambda: {**self._over_slice(kind, part, quarantine, few=few), "asked_for": asked_for},
        )

    def user_backfill(self) -> str:
        """The statement that writes several users whole. Nobody of them is in quarantine."""
        work = compose(template(PACKAGE, "plan_work"), self.fragments)
        asked = sql.SQL("({})").format(work)
        return self._render(
            "user_backfill",
            (),
            lambda: self._over_slice(RunKind.USER, Part.USERS, False, work=asked),
        )

    def quarantine_next(self, kind: RunKind, *, quarantine: bool, few: bool = False) -> str:
        """The SELECT of the pair that a split of one would write next."""
        return self._render(
            "quarantine_next",
            (kind, quarantine, few),
            lambda: self._over_slice(kind, Part.SPLIT, quarantine, few=few),
        )

    def plan_by_hand(self, name: str) -> str:
        """`plan_users` or `plan_walk`: of the run that a person would start now, which tries
        everything in quarantine again. Needs none of our tables."""
        return self._render(name, (), self._by_hand)

    def _by_hand(self) -> Fragments:
        names = dict(self.fragments)
        names["quarantined_by_user"] = raw(_NOTHING_ASIDE).format(**names)
        names |= self._unwritable(names)
        names["work_list"] = compose(template(PACKAGE, "work_list"), names)
        return names

    def plan_pairs(self, kind: RunKind, part: Part, *, quarantine: bool) -> str:
        """The SELECT of the pairs that a slice would write. Needs none of our tables, unless there
        is a `quarantine` to look into."""
        work = compose(template(PACKAGE, "plan_work"), self.fragments)
        return self._render(
            "plan_pairs",
            (kind, part, quarantine),
            lambda: self._over_slice(kind, part, quarantine, work=sql.SQL("({})").format(work)),
        )

    def over_ledger(self, name: str, *, begun: bool) -> str:
        """`undo_batch`, `undo_next` or `undo_users` over the next ledger rows; `begun`: behind the
        cursor."""
        behind = _BEHIND_UNDO_CURSOR if begun else "TRUE"
        return self._render(
            name,
            (begun,),
            lambda: {**self.fragments, "behind_cursor": raw(behind).format(**self.fragments)},
        )

    def plan_missing(self) -> str:
        """Those of the pairs `%(users)s` with `%(artworks)s`, side by side, that are legacy."""
        return self._render("plan_missing", (), self._missing)

    def _missing(self) -> Fragments:
        names = {**self._about(few=True), "is_left_alone": raw("FALSE")}
        if self.state.catalogue.spec.impressions.leaves_alone:
            names["is_left_alone"] = raw(_IN_THE_WAY).format(**names)
        return names

    def left_alone(self, *, of_user: bool, few: bool = False) -> str:
        """How many legacy pairs are left alone: of one user, in the audience or not, or of the
        audience; `few`: of the artworks `%(incomplete)s` alone. Needs none of our tables."""
        return self._render("left_alone_count", (of_user, few), lambda: self._whose(of_user, few))

    def _whose(self, of_user: bool, few: bool) -> Fragments:
        if not of_user:
            return self._about(few)
        one = "(SELECT u.* FROM {counted_users} AS u WHERE u.id = %(user_id)s::{user_cast})"
        names = {**self.fragments, "left_to": raw(one).format(**self.fragments)}
        return {**names, **self._unwritable(names)}

    def _render(
        self, name: str, variant: tuple[object, ...], names: Callable[[], Fragments]
    ) -> str:
        key = (name, *variant)
        if key not in self._rendered:
            form = form_of(self.state.catalogue.engine, name)
            if not self.state.catalogue.is_plain:
                form = ANY_SHAPE.get(name, form)
            self._rendered[key] = render(PACKAGE, form, names())
        return self._rendered[key]

    def _over_slice(
        self,
        kind: RunKind,
        part: Part,
        quarantine: bool,
        *,
        work: sql.Composable | None = None,
        few: bool = False,
    ) -> Fragments:
        """What statements over a slice name; a per-user run asks for no audience. `work`: instead
        of the work list of a run."""
        cast = self.fragments["artwork_cast"].as_string(None)
        behind = "(%(artwork_cursor)s::{0} IS NULL OR a.id > %(artwork_cursor)s::{0})"
        after_cursor = "a.id = %(artwork_cursor)s::{0}" if part is Part.PAIR else behind
        split = part is Part.SPLIT
        names = {
            **self._about(few),
            **({} if work is None else {"work": work}),
            "after_cursor": raw(after_cursor.format(cast)),
            "part": raw("ORDER BY a.id LIMIT %(limit)s::bigint" if split else ""),
            "user_limit": raw("w.planned" if part is Part.USERS else "%(limit)s::bigint"),
            "is_listed": raw(_IS_LISTED if few else "TRUE"),
            "not_quarantined": raw("TRUE"),
            "quarantine_waiting": raw(_NOBODY).format(**self.fragments),
            "cured": raw(""),
        }
        if kind is RunKind.USER or self.state.pools.audience is Audience.ALL:
            names["in_audience"] = names["everybody_counts"] = raw("TRUE")
        if quarantine:
            names["quarantine_waiting"] = compose(template(PACKAGE, "quarantine_waiting"), names)
            names["not_quarantined"] = compose(template(PACKAGE, "not_quarantined"), names)
            # On Citus a pair that could be written after all leaves at the end of the run.
            if self.state.catalogue.engine is not Engine.CITUS:
                cured = compose(template(PACKAGE, "quarantine_cured"), names)
                names["cured"] = sql.SQL(",\ncte_cured AS (\n{})").format(cured)
        form = form_of(self.state.catalogue.engine, "missing_pairs")
        names["missing_pairs"] = compose(template(PACKAGE, form), names)
        return names


@dataclass(frozen=True, slots=True)
class HealingContext:
    """The database that is healed: its engine, the statements for its catalogue, and their
    deadlines."""

    engine: AsyncEngine
    statements: HealingStatements
    timeout: timedelta
    """How long a statement may take that counts, or that writes a batch."""
    lock_timeout: timedelta
    """How long a batch waits for a lock."""
    lease: timedelta
    """How long a run stays this process's after each sign of life."""

    @property
    def state(self) -> StateStatements:
        """The statements over our own tables."""
        return self.statements.state

    @property
    def on_citus(self) -> bool:
        """The tables lie on several nodes, which have no snapshot in common."""
        return self.state.catalogue.engine is Engine.CITUS

    @property
    def rows(self) -> RowGuard:
        """What a transaction has to do that reads the app's tables."""
        return guard_of(self.state.catalogue)

    async def cutoffs(self, connection: AsyncConnection) -> Cutoffs:
        """The pools' cutoffs by the database's clock."""
        return Cutoffs.at(await database_now(connection), self.state.pools)

    async def count_audience(
        self, connection: AsyncConnection, *, side_by_side: SideBySide | None = None
    ) -> Census:
        """A census at the end of a run, in the connection's snapshot; `side_by_side` as in
        `take_census`."""
        control = await read_control(connection, self.state)
        return await take_census(
            connection,
            self.state.catalogue,
            self.state.pools,
            await self.cutoffs(connection),
            verified_until=control.verified_until,
            side_by_side=side_by_side,
        )
