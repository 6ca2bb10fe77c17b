"""What the product does with a stranger's gallery that is configured as it should be, held against
the gallery's oracle: finds nothing amiss, counts, heals exactly what is missing, takes it back."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import yaml
from structlog.testing import capture_logs

from checks.errors import ConservatorError
from checks.row_security import HEALER, READER
from monitor.cli.serving import served
from monitor.config import load_config
from tests.support.acceptance_cases import AcceptanceCase
from tests.support.app import conninfo
from tests.support.called import call
from tests.support.http import Client, samples
from tests.support.naive import HARMFUL, STATES
from tests.support.oracle import Counts
from tests.support.postgres import PostgresServer
from tests.support.roles import as_service, make_service_role
from tests.support.stranger_galleries import (
    FOLDER,
    FRESH_FOR,
    POOLS,
    StrangerGallery,
    stranger_gallery,
)
from tests.support.waiting import wait_until

USERS_ASKED = 7
"""Of whom the live counts are asked for, spread over all."""
_STATES = """
SELECT u, a, CASE
    WHEN seen THEN 'tracked'
    WHEN created > now() - interval '{fresh_for}' THEN 'fresh'
    WHEN created > now() - interval '7 days' OR excused THEN 'storage'
    ELSE 'legacy_untracked' END, extract(epoch FROM created)::float8
FROM (SELECT u, a, created, seen, {excused} AS excused FROM ({pairs}) AS chosen) AS p
"""
_KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.impressions AS TABLE {table};
CREATE TABLE kept.counted AS {counted};
"""
# A row that counts, as an analyst sees it.
_COUNTED = """
SELECT ({user})::text AS u, ({artwork})::text AS a, {viewed} AS viewed FROM {table}
WHERE ({where}) AND ({counts}) AND ({user}) IS NOT NULL AND ({artwork}) IS NOT NULL
"""
_REAL = """
SELECT u, a FROM ({counted}) AS i WHERE NOT EXISTS (
    SELECT FROM conservator.backfilled_impression AS l
    WHERE l.user_id::text = i.u AND l.artwork_id::text = i.a AND {same_moment})
"""
_DIFFERENT = """
SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {other}) AS f),
    (SELECT count(*) FROM ({other} EXCEPT ALL {one}) AS b)
"""
_BEFORE = "SELECT * FROM kept.impressions"
# Rows that are not as they were, without the columns that `set` names.
_CHANGED = "SELECT to_jsonb(r) - {columns}::text[] FROM ({one} EXCEPT ALL {other}) AS r"
_LEDGER = """
SELECT user_id::text, artwork_id::text, coalesce(to_jsonb(l) ->> 'replaced', '') <> ''
FROM conservator.backfilled_impression AS l
"""

Pair = tuple[str, str]


@dataclass
class Accepted:
    """What came of one case."""

    name: str
    counts: Counts | None = None
    written: int = 0
    brought: int = 0
    undone: int = 0
    amiss: list[str] = field(default_factory=list)
    """A sentence for everything that is not as it should be."""


@dataclass(frozen=True)
class Oracle:
    """Every pair's state."""

    states: Mapping[Pair, str]
    created: Mapping[Pair, float]

    @cached_property
    def counts(self) -> Counts:
        """The four."""
        return self._counts(self.states.values())

    @cached_property
    def legacy(self) -> list[Pair]:
        """The pairs that healing has to write."""
        return sorted(pair for pair, state in self.states.items() if state == STATES[-1])

    @cached_property
    def users(self) -> Sequence[str]:
        """Some of the audience."""
        every = sorted({user for user, _ in self.states})
        return every[:: max(1, len(every) // USERS_ASKED)]

    def counts_of(self, user: str) -> Counts:
        """Of one user."""
        return self._counts(state for pair, state in self.states.items() if pair[0] == user)

    @cached_property
    def samples(self) -> Mapping[Pair, str]:
        """A pair of each state, and one that is none although both are counted."""
        chosen = {state: pair for pair, state in sorted(self.states.items())}
        found = {pair: state for state, pair in chosen.items()}
        artworks = {artwork for _, artwork in self.states}
        for user in self.users:
            for artwork in sorted(artworks):
                if (user, artwork) not in self.states:
                    return {**found, (user, artwork): "no_pair"}
        return found

    @staticmethod
    def _counts(states: Any) -> Counts:
        tally = Counter(states)
        tracked, fresh, storage, legacy = (tally[state] for state in STATES)
        return tracked, fresh, storage, legacy


def accept(
    server: PostgresServer, case: AcceptanceCase, directory: Path, *, owner: bool
) -> Accepted:
    """Try one document as the tables' owner, or as the least-privileged role."""
    with stranger_gallery(server, case.gallery) as gallery:
        return _Trial(gallery, case, directory, owner).run()


class _Trial:
    """One case on its way."""

    def __init__(
        self, gallery: StrangerGallery, case: AcceptanceCase, directory: Path, owner: bool
    ) -> None:
        self._gallery, self._case, self._owner = gallery, case, owner
        self._directory = directory
        self.result = Accepted(case.name)

    def run(self) -> Accepted:
        """All of it; what can't go on without a step that failed is left out."""
        amiss = self.result.amiss
        self._prepare()
        oracle = self._oracle()
        steps: list[Callable[[Oracle], Iterator[str]]] = [
            self._advice,
            self._check,
            self._serve,
            self._explain,
            self._refuse if self._case.refused else self._heal_and_undo,
        ]
        for step in steps:
            amiss += [f"{step.__name__[1:]}: {sentence}" for sentence in step(oracle)]
        return self.result

    # Preparation

    def _prepare(self) -> None:
        gallery, case = self._gallery, self._case
        make_service_role(gallery.url, READER, HEALER)
        if case.prepare:
            self._as_owner(case.prepare)
        if case.policies:
            self._as_owner((FOLDER / f"{case.gallery}.policies.sql").read_text())
        owner = self._configure("owner.yaml", gallery.owner_url)
        if self._owner:
            self._config = owner
        else:
            printed = call(owner, "init", "--print-sql")
            if printed.code:
                self.result.amiss.append(f"init --print-sql: exit {printed.code}, {printed.err}")
            self._as_owner(printed.out)
            self._config = self._configure("config.yaml", as_service(gallery.url))

    def _configure(self, name: str, url: str) -> Path:
        document = {
            "database": {"url": url},
            "catalog": self._case.catalog,
            "pools": POOLS,
            "healing": {"pace": {"duty": "100%"}, "mode": "observe"},
            "server": {"port": 0},
        }
        path = self._directory / name
        path.write_text(yaml.safe_dump(document))
        return path

    def _as_owner(self, script: str) -> None:
        with psycopg.connect(conninfo(self._gallery.owner_url), autocommit=True) as connection:
            connection.execute(script.encode())

    def _oracle(self) -> Oracle:
        pairs = self._case.pairs.format(pairs=self._gallery.pairs)
        excused = "excused" if "excused" in self._case.pairs else "false"
        statement = _STATES.format(pairs=pairs, fresh_for=FRESH_FOR, excused=excused)
        rows = self._gallery.rows(statement)
        states = {(u, a): state for u, a, state, _ in rows}
        assert len({*states}) == len({(u, a) for u, a, _, _ in rows})
        return Oracle(states, {(u, a): created for u, a, _, created in rows})

    # What is said and counted

    def _advice(self, _: Oracle) -> Iterator[str]:
        for command in ("config check", "sql"):
            done = call(self._config, *command.split())
            if done.code:
                yield f"{command} exits {done.code}: {done.err.strip()}"
        doctor = call(self._config, "doctor", "--json")
        if not doctor.out:
            yield f"doctor exits {doctor.code}: {doctor.err.strip()}"
            return
        for one in doctor.json["findings"]:
            told = f"{one['code']} about {one['subject']}"
            expected = self._case.refused and one["blocks"] == "healing"
            if one["blocks"] != "nothing" and not expected:
                yield f"{told} blocks {one['blocks']}: {one['problem']}"
            for pattern in (*HARMFUL, *self._case.harmful):
                if re.search(pattern, one["remedy"]):
                    yield f"the remedy of {told} has {pattern}"
        if doctor.code != int(bool(self._case.refused)):
            yield f"doctor exits {doctor.code}"

    def _check(self, oracle: Oracle) -> Iterator[str]:
        done = call(self._config, "check", "--json")
        if done.code != 1:  # the census fails at one legacy pair
            yield f"exit {done.code}: {done.err.strip()}"
        if not done.out:
            return
        for check in done.json["checks"]:
            if check["outcome"] == "error":
                yield f"{check['name']} could not be evaluated: {check['message']}"
        census = done.json["census"]
        if census is None:
            yield "nothing was counted"
            return
        tracked, fresh, storage, legacy = (census[state] for state in STATES)
        self.result.counts = (tracked, fresh, storage, legacy)
        yield from _unless_equal("the four counts", self.result.counts, oracle.counts)

    def _explain(self, oracle: Oracle) -> Iterator[str]:
        for (user, artwork), state in oracle.samples.items():
            done = call(self._config, "explain", "--user", user, "--artwork", artwork, "--json")
            if done.code:
                yield f"of {user}, {artwork} exits {done.code}: {done.err.strip()}"
            else:
                yield from _unless_equal(f"{user}, {artwork}", done.json["state"], state)

    def _serve(self, oracle: Oracle) -> Iterator[str]:
        try:
            with capture_logs():
                yield from asyncio.run(self._served(oracle))
        except ConservatorError as error:
            yield f"does not start: {error}"

    async def _served(self, oracle: Oracle) -> list[str]:
        async with served(load_config(self._config, {})) as serving:
            board = serving.service.board
            await wait_until(lambda: board.current.decision is not None)
            host, port = serving.runner.addresses[0]
            client = Client(f"http://{host}:{port}/")
            return await asyncio.to_thread(lambda: [*_served_numbers(client, oracle)])

    # Healing

    def _refuse(self, _: Oracle) -> Iterator[str]:
        before = self._gallery.contents()
        done = call(self._config, "heal", "--yes")
        if done.code != 1 or not re.search(self._case.refused, done.err):
            yield f"exit {done.code}: {done.err.strip()}"
        if self._gallery.contents() != before:
            yield "rows were written all the same"

    def _heal_and_undo(self, oracle: Oracle) -> Iterator[str]:
        before = self._gallery.contents()
        table = self._case.written_table
        self._gallery.run(_KEEP.format(table=table, counted=self._counted))
        kept = self._gallery.contents()
        done = call(self._config, "heal", "--yes", "--json")
        if done.code:
            yield f"heal exits {done.code}: {done.err.strip() or done.words[:300]}"
        if not done.out or "run_id" not in done.json:
            return
        yield from self._healed(oracle)
        yield from self._others_differ(kept)
        undone = call(self._config, "undo", str(done.json["run_id"]), "--yes", "--json")
        if undone.code:
            yield f"undo exits {undone.code}: {undone.err.strip() or undone.words[:300]}"
        yield from self._undone(oracle)
        after = {name: one for name, one in self._gallery.contents().items() if name in before}
        if after != before:
            yield f"undo leaves another {sorted(n for n in before if before[n] != after.get(n))}"

    @property
    def _counted(self) -> str:
        given = self._case.catalog["impressions"]
        viewed = given.get("viewed_at")
        return _COUNTED.format(
            user=given["user"],
            artwork=given["artwork"],
            viewed="NULL" if viewed is None else _moment(viewed),
            table=given["table"],
            where=given.get("where", True),
            counts=given.get("counts", True),
        )

    def _healed(self, oracle: Oracle) -> Iterator[str]:
        legacy = oracle.legacy
        after = self._oracle()
        expected = {pair: s if s != STATES[-1] else "tracked" for pair, s in oracle.states.items()}
        if after.states != expected:
            wrong = Counter(
                f"{state} is {after.states.get(pair)}"
                for pair, state in expected.items()
                if after.states.get(pair) != state
            )
            yield f"afterwards {after.counts}, where {dict(wrong)}"
        yield from self._rows_differ(legacy)
        ledger = self._gallery.rows(_LEDGER)
        self.result.brought = sum(replaced for _, _, replaced in ledger)
        self.result.written = len(ledger) - self.result.brought
        yield from _unless_equal("rows brought", self.result.brought, self._case.brought)
        yield from _unless_equal("rows of the ledger", len(ledger), len(legacy))
        if sorted((user, artwork) for user, artwork, _ in ledger) != legacy:
            yield "the ledger has other pairs than the legacy ones"
        if found := len(self._gallery.rows(self._case.never)):
            yield f"{found} rows that must never be"
        viewed = self._case.catalog["impressions"].get("viewed_at")
        real = _REAL.format(
            counted=self._counted, same_moment="true" if viewed is None else "l.viewed_at = viewed"
        )
        [different] = self._gallery.rows(
            _DIFFERENT.format(one=f"({real})", other="SELECT u, a FROM kept.counted")
        )
        yield from _unless_equal("rows that the anti-join takes for the app's", different, (0, 0))

    def _rows_differ(self, legacy: Sequence[Pair]) -> Iterator[str]:
        given = self._case.catalog["impressions"]
        now = f"SELECT * FROM {self._case.written_table}"
        [different] = self._gallery.rows(_DIFFERENT.format(one=_BEFORE, other=now))
        expected = (self._case.brought, len(legacy))
        yield from _unless_equal("rows gone or changed, rows new or changed", different, expected)
        come = self._gallery.rows(
            f"SELECT ({given['user']})::text, ({given['artwork']})::text"
            f" FROM ({now} EXCEPT ALL {_BEFORE}) AS r"
        )
        if sorted(come) != legacy:
            yield "the rows that are new or changed are of other pairs than the legacy ones"
        columns = "'{" + ",".join(given.get("set", {})) + "}'"
        old = _CHANGED.format(columns=columns, one=_BEFORE, other=now)
        new = _CHANGED.format(columns=columns, one=now, other=_BEFORE)
        if rows := self._gallery.rows(f"({old}) EXCEPT ALL ({new})"):
            yield f"{len(rows)} rows differ in other columns than set names, as {rows[0]}"

    def _others_differ(self, kept: Mapping[str, str]) -> Iterator[str]:
        table = self._case.written_table.removeprefix("public.")
        after = self._gallery.contents()
        if wrong := [
            name for name in kept if kept[name] != after.get(name) and not name.startswith(table)
        ]:
            yield f"healing wrote to {wrong}"

    def _undone(self, oracle: Oracle) -> Iterator[str]:
        left = len(self._gallery.rows(_LEDGER))
        self.result.undone = self.result.written + self.result.brought - left
        yield from _unless_equal("rows that undo leaves in the ledger", left, 0)
        now = f"SELECT * FROM {self._case.written_table}"
        [different] = self._gallery.rows(_DIFFERENT.format(one=_BEFORE, other=now))
        yield from _unless_equal("rows that undo lost, rows that it left", different, (0, 0))
        yield from _unless_equal("counts after undo", self._oracle().counts, oracle.counts)


def _served_numbers(client: Client, oracle: Oracle) -> Iterator[str]:
    """The API's and the metrics'."""
    answer = client.get("api/artworks/stats")
    yield from _unless_equal("/api/artworks/stats", _counts_of(answer.json), oracle.counts)
    for user in oracle.users:
        one = client.get(f"api/artworks/stats?user_id={user.replace('/', '%2F')}")
        if one.status != 200:
            yield f"?user_id={user} answers {one.status}: {one.text[:300]}"
        else:
            yield from _unless_equal(
                f"?user_id={user}", _counts_of(one.json), oracle.counts_of(user)
            )
    metrics = samples(client.get("metrics").text)
    legacy = oracle.legacy
    expected = {
        **{
            f'conservator_artworks{{state="{s}"}}': n
            for s, n in zip(STATES, oracle.counts, strict=True)
        },
        "conservator_legacy_untracked_artworks": len({artwork for _, artwork in legacy}),
        'conservator_users{state="affected"}': len({user for user, _ in legacy}),
        "conservator_legacy_untracked_oldest_created_timestamp_seconds": min(
            oracle.created[pair] for pair in legacy
        ),
    }
    for name, value in expected.items():
        yield from _unless_equal(name, _rounded(metrics.get(name)), _rounded(value))


def _moment(given: str | Mapping[str, str]) -> str:
    """A column, or an expression."""
    return given if isinstance(given, str) else given["sql"]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _counts_of(answer: Mapping[str, Any]) -> object:
    return tuple(answer.get(state) for state in STATES)


def _unless_equal(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: found {found}, expected {expected}"
