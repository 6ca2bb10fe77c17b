"""Sequences that impressions draw from: which they are, and what they have left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_catalogue
from checks.relations import Catalogue
from checks.sequences import DrawnSequence, read_sequences
from checks.spec import CatalogueSpec, ImpressionsSpec
from monitor.database import create_engine
from monitor.healing.errors import SequenceShortError
from monitor.policy.decision import Code
from monitor.runtime import Runtime, inspect_catalogue
from monitor.state.runs import RunState, Trigger
from monitor.state.schema import grants
from tests.integration.doctor_help import Patient, codes, only
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned
from tests.support.generated import examples
from tests.support.healing import heal, make_runtime
from tests.support.ledger_audit import counter
from tests.support.postgres import PostgresServer
from tests.support.roles import SERVICE
from tests.support.services import decided, service_on
from tests.support.waiting import wait_until

_NAMED = """
CREATE SCHEMA "My ""own""!";
CREATE SEQUENCE gallery_seq;
CREATE SEQUENCE "Gallery's";
CREATE SEQUENCE "My ""own""!".n;
CREATE FUNCTION next_one() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''gallery_seq'')';
ALTER TABLE user_art_impressions ADD COLUMN number bigint;
"""
ENOUGH = 60
"""More inserts than any small sequence has values."""
NAMED: Mapping[str, tuple[str, ...]] = {
    "nextval('gallery_seq')": ("gallery_seq",),
    "NEXTVAL ( 'public.gallery_seq' -- a comment\n)": ("gallery_seq",),
    "nextval($$gallery_seq$$::text)": ("gallery_seq",),
    "nextval('gallery' || '_seq')": ("gallery_seq",),
    "pg_catalog.nextval('\"Gallery''s\"')": ("Gallery's",),
    'nextval(\'"My ""own""!".n\') * 7 % 5': ("n",),
    "coalesce((SELECT nextval('gallery_seq') WHERE now() < now()), nextval('\"Gallery''s\"'))": (
        "Gallery's",
        "gallery_seq",
    ),
    "next_one()": ("gallery_seq",),
    "length('nextval(''gallery_seq''::regclass)')": (),
    "currval('gallery_seq')": (),
    "nextval('nowhere')": (),
    "7": (),
}


@pytest.fixture(scope="module")
def database(server: PostgresServer) -> Iterator[str]:
    with cloned(server, APP) as url:
        yield url


@asynccontextmanager
async def catalogue_of(
    url: str, spec: CatalogueSpec
) -> AsyncIterator[tuple[Catalogue, AsyncConnection]]:
    engine = create_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection, connection.begin():
            yield (await read_catalogue(connection, spec)).require(), connection
    finally:
        await engine.dispose()


async def drawn(url: str, spec: CatalogueSpec | None = None) -> tuple[DrawnSequence, ...]:
    async with catalogue_of(url, spec or CatalogueSpec()) as (catalogue, connection):
        return await read_sequences(
            connection, catalogue.impressions, catalogue.spec, catalogue.named_sequences
        )


async def test_the_sequences_of_the_operators_expressions_are_found_and_granted(
    database: str,
) -> None:
    async with app_on(database) as app:
        await app.run(_NAMED)
        for expression, names in NAMED.items():
            spec = CatalogueSpec(impressions=ImpressionsSpec(defaults={"number": expression}))
            found = await drawn(database, spec)
            assert tuple(sorted(one.name for one in found)) == names, expression
            async with catalogue_of(database, spec) as (catalogue, _):
                script = grants(catalogue, "conservator", found)
            for one in found:
                assert f"GRANT USAGE ON SEQUENCE {one.quoted} TO" in script
                if one.schema != "public":
                    assert 'GRANT USAGE ON SCHEMA "My ""own""!" TO' in script
        assert await app.value("SELECT last_value FROM gallery_seq WHERE NOT is_called") == 1
        await app.run('DROP FUNCTION next_one; DROP SCHEMA "My ""own""!" CASCADE')


_OTHER_SCHEMA = """
CREATE SCHEMA apart;
CREATE SEQUENCE apart."Number one" AS integer;
ALTER TABLE user_art_impressions ADD COLUMN n integer;
"""


async def test_a_service_draws_from_what_init_granted_and_doctor_misses_what_it_did_not(
    server: PostgresServer,
) -> None:
    defaults = {"n": "nextval('apart.\"Number one\"')"}
    config = {"catalog": {"impressions": {"defaults": defaults}}}
    with cloned(server, APP) as url:
        async with app_on(url) as app:
            await app.run(_OTHER_SCHEMA)
            async with make_runtime(url, **config) as runtime:
                await app.plant(users=3, artworks=2)
                ended = await heal(runtime)
            assert ended.run.state is RunState.SUCCEEDED
            assert await app.value('SELECT last_value FROM apart."Number one"') == 6
            await app.run(
                'REVOKE ALL ON SEQUENCE apart."Number one" FROM conservator_healer;'
                f"GRANT USAGE ON SCHEMA apart TO {SERVICE}"
            )
        spec = CatalogueSpec(impressions=ImpressionsSpec(defaults=defaults))
        patient = Patient(url, spec)
        finding = only(await patient.examine(role=SERVICE), "no_sequence_usage")
        assert finding.subject == '"apart"."Number one"'
        patient.run(finding.statements)
        assert "no_sequence_usage" not in codes(await patient.examine(role=SERVICE))


@dataclass(frozen=True)
class Numbers:
    """A sequence in small."""

    least: int
    most: int
    start: int
    increment: int
    cycles: bool
    unique: bool
    drawn: int
    cast: str


@st.composite
def numbers(draw: st.DrawFn) -> Numbers:
    """Ascending from some border, or the same below zero."""
    first = draw(st.sampled_from((-5, 1, 32_760)))
    last = first + draw(st.integers(1, 30))
    start = draw(st.integers(first, last))
    increment = draw(st.sampled_from((1, 2, 5, 7)))
    falls = draw(st.booleans())
    return Numbers(
        -last if falls else first,
        -first if falls else last,
        -start if falls else start,
        -increment if falls else increment,
        cycles=draw(st.booleans()),
        unique=draw(st.booleans()),
        drawn=draw(st.integers(0, 12)),
        cast=draw(st.sampled_from(("smallint", "bigint"))),
    )


_SMALL = """
DROP TABLE IF EXISTS user_art_impressions CASCADE;
DROP SEQUENCE IF EXISTS small;
CREATE SEQUENCE small MINVALUE {least} MAXVALUE {most} START {start} INCREMENT {increment} {cycle};
CREATE TABLE user_art_impressions (
    user_id varchar NOT NULL, artwork_id varchar NOT NULL, viewed_at timestamp NOT NULL,
    number {cast} DEFAULT nextval('small') {unique}
);
"""


async def inserted(app: App, most: int) -> int:
    """How many of so many inserts succeed before one fails."""
    for done in range(most):
        try:
            await app.run("INSERT INTO user_art_impressions VALUES ('u', 'a', now())")
        except psycopg.Error:
            return done
    return most


@examples(20)
@given(small=numbers())
async def test_what_is_left_is_what_can_still_be_inserted(database: str, small: Numbers) -> None:
    async with app_on(database) as app:
        await app.run(
            _SMALL.format(
                least=small.least,
                most=small.most,
                start=small.start,
                increment=small.increment,
                cycle="CYCLE" if small.cycles else "NO CYCLE",
                unique="UNIQUE" if small.unique else "",
                cast=small.cast,
            )
        )
        await inserted(app, small.drawn)
        [sequence] = await drawn(database)
        possible = await inserted(app, ENOUGH)
    assert sequence.left is not None
    if not small.cycles:
        assert sequence.left == possible
    elif sequence.left == 2**63:
        assert possible == ENOUGH
    else:
        # What it skipped or left out before its start may fit once it has begun anew; once it has,
        # what is there stands in its way, which a sequence does not tell.
        before = abs(small.most - small.start if small.increment > 0 else small.start - small.least)
        assert sequence.left <= possible or small.drawn > before // abs(small.increment)


LAST = 2**31 - 1
KINDS: Mapping[str, str] = {
    "identity": "ADD number integer GENERATED ALWAYS AS IDENTITY",
    "serial": "ADD number serial",
    "a column that is narrower than its sequence": "ADD number integer NOT NULL"
    " DEFAULT nextval('wide')",
    "named by the operator": "ADD number integer",
    "falling": "ADD number integer NOT NULL DEFAULT nextval('falling')",
}
"""Each behind a column that ends with its type."""
SEQUENCES: Mapping[str, str] = {
    "a column that is narrower than its sequence": "wide",
    "named by the operator": "wide",
    "falling": "falling",
}


@asynccontextmanager
async def numbered(
    server: PostgresServer, kind: str, *, left: int
) -> AsyncIterator[tuple[App, Runtime, str]]:
    """A gallery of 12 legacy pairs whose impressions are numbered, with so many numbers left, not
    drawn from since it was restarted; the tools of the service; the sequence's name."""
    config = {}
    if kind == "named by the operator":
        config = {"catalog": {"impressions": {"defaults": {"number": "nextval('wide')"}}}}
    with cloned(server, APP) as url:
        async with app_on(url) as app:
            await app.run(
                "CREATE SEQUENCE wide; CREATE SEQUENCE falling INCREMENT -1;"
                f"ALTER TABLE user_art_impressions {KINDS[kind]}"
            )
            name = SEQUENCES.get(kind, "user_art_impressions_number_seq")
            await app.plant(users=4, artworks=3)
            # The bound itself is a value, too.
            place = -LAST - 1 + left - 1 if kind == "falling" else LAST - left + 1
            await app.run(f"ALTER SEQUENCE {name} RESTART WITH {place}")
            async with make_runtime(url, **config) as runtime:
                yield app, runtime, name


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plan_that_would_use_up_more_than_half_is_refused_before_anything_is_drawn(
    server: PostgresServer, kind: str
) -> None:
    async with numbered(server, kind, left=23) as (app, runtime, name):
        place = f"SELECT last_value, is_called FROM {name}"
        before = await app.rows(place)
        for beyond_breaker in (False, True):
            with pytest.raises(SequenceShortError, match=r"draws 12 values .* has 23 left"):
                await runtime.plan_audience(
                    Trigger.COMMAND, reason="", max_rows=100, beyond_breaker=beyond_breaker
                )
        assert await app.rows(place) == before
        assert await app.value("SELECT count(*) FROM conservator.run") == 0
        owner = runtime.run_owner(Trigger.COMMAND)
        await app.run(f"SELECT nextval('{name}') FROM generate_series(1, 18)")
        with pytest.raises(SequenceShortError, match=r"draws 3 values .* has 5 left"):
            await runtime.planner.plan_user(
                owner, "u0001", reason="", force=True, beyond_breaker=True
            )
        [finding] = [
            one
            for one in (await inspect_catalogue(runtime.engine, runtime.settings)).findings
            if one.code == "sequence_runs_out"
        ]
        assert "It has 5 of " in finding.problem
        assert not (finding.statements or finding.settings)


async def test_a_plan_that_leaves_half_is_carried_out(server: PostgresServer) -> None:
    async with numbered(server, "serial", left=24) as (app, runtime, name):
        ended = await heal(runtime)
        assert ended.run.state is RunState.SUCCEEDED
        assert await app.value(f"SELECT last_value FROM {name}") == LAST - 12


async def test_where_a_sequence_can_not_be_read_the_rows_say_how_far_it_has_come(
    server: PostgresServer,
) -> None:
    async with numbered(server, "identity", left=23) as (app, runtime, name):
        await app.run(f"REVOKE ALL ON SEQUENCE {name} FROM conservator_healer")
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id)"
            " SELECT id, 'fresh0001' FROM users"
        )
        with pytest.raises(SequenceShortError, match=r"draws 16 values .* has 18 left"):
            await runtime.plan_audience(Trigger.COMMAND, reason="", max_rows=100)


async def test_the_service_refuses_such_a_plan_and_says_so(server: PostgresServer) -> None:
    with cloned(server, APP) as url:
        async with app_on(url) as app:
            await app.run("ALTER TABLE user_art_impressions ADD number serial")
            await app.plant(users=4, artworks=3)
            await app.run(f"SELECT setval('user_art_impressions_number_seq', {LAST} - 5)")
            async with service_on(url) as service:
                await wait_until(decided(service, Code.SEQUENCE))

                async def counted() -> bool:
                    return bool(await counter(app, "heal_refusals"))

                await wait_until(counted)
                for ask in (
                    service.commands.backfill_all(),
                    service.commands.backfill_user("u0001", force=True),
                ):
                    with pytest.raises(SequenceShortError, match="has 5 left"):
                        await ask
                assert not service.board.current.control.breaker_open
            assert await app.value("SELECT count(*) FROM conservator.run") == 0
