"""What `find` returns is what is mended: of which type it is, by which collation it is compared,
and how many rows the table has besides."""

from __future__ import annotations

import psycopg
import pytest

from checks.errors import StatementError
from monitor.healing import repair_planner
from monitor.healing.errors import RepairRefusedError
from monitor.run_tools import repair_faults
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.healing import make_runtime
from tests.support.repairing import configured, mend, plan_repair, previewed, take_back

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN short AS varchar(5);
CREATE TABLE many (
    id int PRIMARY KEY, small smallint, big bigint, exact numeric, float double precision,
    name text, short short, fixed char(4), mood mood, token uuid, day date, at timestamp,
    zoned timestamptz, data jsonb, tags text[], flag boolean, address inet
);
INSERT INTO many (id, exact) SELECT n, 1 FROM generate_series(1, 3) AS n;
"""
KEPT = {
    "small": ("3::bigint", "3"),
    "big": ("3::smallint", "3"),
    "exact": ("9007199254740993::bigint", "9007199254740993"),
    "float": ("1.5::real", "1.5"),
    "name": ("'a  '::varchar", "a  "),
    "short": ("'abc'", "abc"),
    "fixed": ("'ab'::text", "ab"),
    "mood": ("'glad'", "glad"),
    "token": ("'6f1c2f0e-0000-4000-8000-000000000001'", "6f1c2f0e-0000-4000-8000-000000000001"),
    "day": ("DATE '2024-02-29'", "2024-02-29"),
    "at": ("DATE '2024-02-29'", "2024-02-29 00:00:00"),
    "data": ("""'{"a": 1}'::jsonb""", '{"a": 1}'),
    "tags": ("ARRAY['x']", "{x}"),
    "flag": ("id > 0", "true"),
    "address": ("'10.0.0.1'::inet", "10.0.0.1/32"),
}
"""What a column may be given: a value of its own type, or of one all of whose values it has."""
ROUNDED = {
    "small": "2.5",
    "big": "3::float8",
    "float": "9007199254740993::bigint",
    "exact": "1.1::float8",
    "day": "'2024-02-29'",
    "at": "now()",
    "zoned": "now()::timestamp",
    "name": "7",
    "short": "now()",
    "data": "'{}'",
    "tags": "NULL",
    "flag": "1",
    "address": "'10.0.0.1'",
}
"""What would be rounded, cut, or read by the session's settings; and texts that could be."""


async def test_values_come_as_find_returns_them_or_the_repair_is_refused(
    app_database_url: str,
) -> None:
    kept = [
        configured(
            f"kept_{name}",
            table="many",
            find=f"SELECT id, {value} AS {name} FROM many WHERE {name} IS DISTINCT FROM {value}",
            action="update",
        )
        for name, (value, _) in KEPT.items()
    ]
    rounded = [
        configured(
            f"rounded_{name}",
            table="many",
            find=f"SELECT id, {value} AS {name} FROM many",
            action="update",
        )
        for name, value in ROUNDED.items()
    ]
    async with app_on(app_database_url) as app:
        await app.run(TYPES)
        async with make_runtime(app_database_url, repairs=kept) as runtime:
            assert await repair_faults(runtime) == ()
            for name, (_, there) in KEPT.items():
                done = (await mend(runtime, f"kept_{name}")).run
                assert (done.state, done.inserted) == (RunState.SUCCEEDED, 3), (name, done.outcome)
                found = await app.rows(f"SELECT DISTINCT format('%s', {name}::text) FROM many")
                assert found == [(there,)], name
        async with make_runtime(app_database_url, repairs=rounded) as runtime:
            told = await repair_faults(runtime)
            assert [one.split(":")[0] for one in told] == [
                f"repairs[{n}].find" for n in range(len(ROUNDED))
            ]
            assert all("not every value stays" in one for one in told), told


@pytest.mark.parametrize(
    ("key", "value"), [("int", "avg(id)"), ("int", "'2'"), ("text", "2"), ("date", "now()")]
)
async def test_a_key_that_would_be_rounded_is_refused(
    app_database_url: str, key: str, value: str
) -> None:
    find = f"SELECT {value} AS id FROM few"
    async with app_on(app_database_url) as app:
        await app.run(f"CREATE TABLE few (id {key} PRIMARY KEY)")
        repairs = [configured("one", table="few", find=find, action="delete")]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            (told,) = await repair_faults(runtime)
            assert told.startswith("repairs[0].find: It returns id as ")


async def test_a_key_that_the_column_of_a_new_row_rounds_is_told_as_such(
    app_database_url: str,
) -> None:
    find = "SELECT 1.005 AS id WHERE NOT EXISTS (SELECT FROM few)"
    async with app_on(app_database_url) as app:
        await app.run("CREATE TABLE few (id numeric(9, 2) PRIMARY KEY)")
        repairs = [configured("one", table="few", find=find, action="insert")]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            done = (await mend(runtime, "one")).run
        assert (done.state, done.inserted) == (RunState.FAILED, 0)
        assert "1 have another key than `find` returns: their columns round it" in done.outcome
        assert await app.value("SELECT count(*) FROM few") == 0


async def test_an_integer_that_the_key_can_not_hold_is_no_row(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run("CREATE TABLE few (id smallint PRIMARY KEY); INSERT INTO few VALUES (1)")
        find = "SELECT id::bigint + 65536 AS id FROM few"
        repairs = [configured("one", table="few", find=find, action="delete")]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            with pytest.raises(StatementError, match="smallint out of range"):
                await previewed(runtime, "one")


ALIKE = """
CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE named (name text COLLATE alike PRIMARY KEY, v int);
INSERT INTO named VALUES ('a', 0), ('b', 0);
CREATE TABLE source (name text, v int);
"""
FROM_SOURCE = configured(
    "named",
    table="named",
    find="SELECT s.name, s.v FROM source s JOIN named n ON n.name = s.name COLLATE alike"
    " WHERE n.v <> s.v",
    action="update",
)


@pytest.mark.parametrize("cheap", [-1.0, 20_000.0], ids=["frozen", "asked_again"])
async def test_keys_are_the_same_where_the_tables_collation_says_so(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch, cheap: float
) -> None:
    monkeypatch.setattr(repair_planner, "CHEAP", cheap)
    monkeypatch.setattr(repair_planner, "SHARE", 0.0)
    new = {**FROM_SOURCE, "name": "new", "action": "insert", "find": "SELECT name, v FROM source"}
    async with app_on(app_database_url) as app:
        try:
            await app.run(ALIKE)
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server was built without ICU, which alone has such collations")
        await app.run("INSERT INTO source VALUES ('a', 1), ('A', 2)")
        async with make_runtime(app_database_url, repairs=[FROM_SOURCE, new]) as runtime:
            for name in ("named", "new"):
                with pytest.raises(StatementError, match="names 1 keys more than once"):
                    await previewed(runtime, name)
                with pytest.raises(StatementError, match="names 1 keys more than once"):
                    await plan_repair(runtime, name)
            await app.run("DELETE FROM source WHERE v = 1")
            before = await app.fingerprint("named")
            done = (await mend(runtime, "named")).run
            assert (done.state, done.inserted) == (RunState.SUCCEEDED, 1)
            assert await app.rows("SELECT * FROM named ORDER BY v") == [("b", 0), ("a", 2)]
            await take_back(runtime, done.id)
            assert await app.fingerprint("named") == before


async def test_a_find_of_another_collation_than_the_key_is_asked_by_the_keys(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            'CREATE TABLE named (name text COLLATE "C" PRIMARY KEY, v int);'
            "CREATE TABLE source (name text COLLATE \"POSIX\"); INSERT INTO source VALUES ('a')"
        )
        find = (
            "SELECT s.name, 1 AS v FROM source s WHERE NOT EXISTS"
            ' (SELECT 1 FROM named n WHERE n.name = s.name COLLATE "C")'
        )
        repairs = [configured("one", table="named", find=find, action="insert")]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            assert (await mend(runtime, "one")).run.state is RunState.SUCCEEDED
            assert await app.rows("SELECT * FROM named") == [("a", 1)]


async def test_names_of_types_and_collations_may_hold_anything(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            """CREATE TYPE "100% {mood}" AS ENUM ('sad', 'glad');
            CREATE COLLATION "50% {c}" (provider = libc, locale = 'C');
            CREATE TABLE odd (id text COLLATE "50% {c}" PRIMARY KEY, mood "100% {mood}");
            INSERT INTO odd VALUES ('a', 'sad'), ('b', 'glad')"""
        )
        first = await app.fingerprint("odd")
        find = "SELECT id, 'glad' AS mood FROM odd WHERE mood = 'sad'"
        repairs = [configured("one", table="odd", find=find, action="update")]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            done = (await mend(runtime, "one")).run
            assert (done.state, done.inserted) == (RunState.SUCCEEDED, 1)
            await take_back(runtime, done.id)
            assert await app.fingerprint("odd") == first


async def test_what_a_row_names_in_the_catalogue_is_known_again_by_another_name(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            "CREATE TABLE thing (id int); CREATE TABLE about (id regclass PRIMARY KEY, note text);"
            "INSERT INTO about VALUES ('thing', 'wrong'), ('about', 'wrong')"
        )
        numbers = "SELECT id::oid, note FROM about ORDER BY 1"
        first = await app.rows(numbers)
        find = "SELECT id FROM about WHERE note = 'wrong'"
        repairs = [configured("one", table="about", find=find, action="delete")]
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            done = (await mend(runtime, "one")).run
            assert (done.state, done.inserted) == (RunState.SUCCEEDED, 2)
            await app.run("ALTER TABLE thing RENAME TO other; CREATE TABLE thing (id int)")
            undone = await take_back(runtime, done.id)
            assert undone is not None and undone.run.inserted == 2
            assert await app.rows(numbers) == first


async def test_statistics_of_better_days_open_no_breaker(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair_planner, "ESTIMATED_FROM", 50)
    find = "SELECT id FROM shrunk WHERE id <= 4"
    tight = {
        **configured("one", table="shrunk", find=find, action="delete"),
        "breaker": {"max_share": "10%"},
    }
    async with app_on(app_database_url) as app:
        await app.run(
            "CREATE TABLE shrunk (id int PRIMARY KEY) WITH (autovacuum_enabled = false);"
            "INSERT INTO shrunk SELECT generate_series(1, 1000); ANALYZE shrunk"
        )
        async with make_runtime(app_database_url, repairs=[tight]) as runtime:
            found = await previewed(runtime, "one")
            assert (found.named, found.table_rows) == (4, 1000)
            await app.run("DELETE FROM shrunk WHERE id > 20")
            found = await previewed(runtime, "one")
            assert (found.named, found.table_rows, found.share) == (4, 20, 0.2)
            with pytest.raises(RepairRefusedError, match=r"20% of shrunk"):
                await plan_repair(runtime, "one")
