"""Healing and undo of rows with a scope, a status, several a pair or no time: exactly the legacy
pairs are written, nothing else differs, and undo gives the table back as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from monitor.healing.preview import preview_heal
from monitor.healing.quarantine import count_unwritable
from monitor.run_tools import tools_to_undo
from monitor.state.runs import Run, RunState, Trigger
from tests.support.any_shape import shape_runtime
from tests.support.app import app_on
from tests.support.healing import heal, plan, working
from tests.support.pair_lists import asked, listed, listed_of
from tests.support.postgres import PostgresServer
from tests.support.roles import as_service
from tests.support.stranger_galleries import POOLS, StrangerGallery, documents, stranger_gallery
from tests.support.undoing import undo
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

GALLERIES = (
    ("status_rows", 0, 1157),
    ("epoch", 0, 594),
    ("anonymous", 0, 0),
    ("existence_only", 0, 0),
    ("derived_value", 0, 0),
    ("framework_times", 0, 0),
    ("domain_ids", 0, 0),
    ("composite_keys", 0, 51),
    ("composite_keys", 1, 51),
)
"""Gallery, document, and how many of its legacy pairs have a row that is brought to count."""
_PLAIN = ("derived_value", "framework_times", "domain_ids")
_ONE_VENUE = "u LIKE '1/%'"
_LISTED = "SELECT count(*), count(replaced) FROM conservator.backfilled_impression"


def _without(document: dict[str, Any]) -> str:
    """The rows' content without what `set` may replace."""
    columns = ", ".join(f"'{name}'" for name in document["impressions"].get("set", {}))
    return f"to_jsonb(t.*) - ARRAY[{columns}]::text[]"


def _differing(gallery: StrangerGallery, table: str, content: str = "t.*") -> tuple[int, int]:
    """Rows that were there and are not; rows that are there and were not."""
    was, now = f"SELECT {content} FROM kept.was AS t", f"SELECT {content} FROM {table} AS t"
    ((gone, added),) = gallery.rows(
        f"SELECT (SELECT count(*) FROM ({was} EXCEPT ALL {now}) AS x),"
        f" (SELECT count(*) FROM ({now} EXCEPT ALL {was}) AS x)"
    )
    return gone, added


def _synthetic(gallery: StrangerGallery, impressions: dict[str, Any]) -> tuple[int, int]:
    """Rows that an analyst takes for synthetic: by the moment as docs/healing.md has it for this
    shape, and by the whole row."""
    moment = impressions["viewed_at"]
    told = moment["sql"] if isinstance(moment, dict) else moment
    same = "TRUE" if told is None else "b.viewed_at = i.told_at"
    rows = f"SELECT t.*, ({told or 'NULL'}) AS told_at, to_jsonb(t) AS content,"
    rows += f" t AS whole FROM {impressions['table']} AS t"
    ((by_moment, by_row),) = gallery.rows(
        f"SELECT count(*) FILTER (WHERE {same}), count(*) FILTER ("
        " WHERE b.written IS NOT NULL"
        " AND content = to_jsonb(jsonb_populate_record(whole, b.written)))"
        f" FROM ({rows}) AS i JOIN conservator.backfilled_impression AS b"
        f" ON b.user_id = i.{impressions['user']} AND b.artwork_id = i.{impressions['artwork']}"
    )
    return by_moment, by_row


@pytest.mark.parametrize(
    ("name", "number", "brought"), GALLERIES, ids=[f"{name}-{n}" for name, n, _ in GALLERIES]
)
async def test_legacy_pairs_are_written_and_nothing_else_and_undo_restores_the_table(
    server: PostgresServer, name: str, number: int, brought: int
) -> None:
    document = documents(name)[number]
    table, only = document["impressions"]["table"], "true"
    if name == "composite_keys":
        only = _ONE_VENUE
    with stranger_gallery(server, name) as gallery:
        gallery.run(f"CREATE SCHEMA kept; CREATE TABLE kept.was AS SELECT * FROM {table}")
        before, contents = gallery.counts(only), gallery.contents()
        async with shape_runtime(gallery.url, catalog=document, pools=POOLS) as runtime:
            healed = await heal(runtime)
            tracked, fresh, storage, legacy = before
            assert healed.run.state is RunState.SUCCEEDED, healed.run.outcome
            assert gallery.counts(only) == (tracked + legacy, fresh, storage, 0)
            assert gallery.rows(_LISTED) == [(legacy, brought)]
            by_row = 0 if name in _PLAIN else legacy
            assert _synthetic(gallery, document["impressions"]) == (legacy, by_row)
            assert _differing(gallery, table) == (brought, legacy)
            assert _differing(gallery, table, _without(document)) == (0, legacy - brought)
            undone = await undo(runtime, healed.run.id)
        assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, legacy)
        assert gallery.contents() == contents
        assert gallery.rows(_LISTED) == [(0, 0)]


SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, since timestamptz DEFAULT now(), wing text);
CREATE TABLE works (id int PRIMARY KEY, made timestamptz NOT NULL, wing text NOT NULL);
CREATE TABLE looks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int NOT NULL, work int NOT NULL,
    seen timestamptz, wing text, note text, kind text NOT NULL DEFAULT 'work'
);
CREATE INDEX ON looks (person, work);
INSERT INTO people SELECT n, now(), 'p' || n FROM generate_series(1, 5) AS n;
INSERT INTO works SELECT n, now() - interval '30 days', 'w' || n FROM generate_series(1, 8) AS n;
INSERT INTO works VALUES (9, now(), 'w9'), (10, now() - interval '1 day', 'w10');
INSERT INTO looks (person, work, seen, note)
SELECT n, 1, now(), 'seen' FROM generate_series(1, 4) AS n;
INSERT INTO looks (person, work, note) VALUES (1, 2, 'older'), (1, 2, 'newer'), (2, 3, 'unread');
INSERT INTO looks (person, work, note, kind) VALUES (3, 4, 'of a film', 'film');
"""
CATALOG: dict[str, Any] = {
    "artworks": {"table": "works", "id": "id", "created_at": "made"},
    "users": {"table": "people", "id": "id"},
    "impressions": {
        "table": "looks",
        "user": "person",
        "artwork": "work",
        "viewed_at": "seen",
        "where": "kind = 'work'",
        "counts": "seen IS NOT NULL",
        "set": {"seen": "viewed_at"},
        "defaults": {"wing": "artwork.wing || ' ' || \"user\".wing || viewed_at::text"},
        "several": True,
    },
}


def catalog(**changes: object) -> dict[str, Any]:
    """The same with other settings of the impressions; None takes one out."""
    settings = {**CATALOG["impressions"], **changes}
    kept = {name: value for name, value in settings.items() if value is not None}
    return {**CATALOG, "impressions": kept}


@pytest.fixture
def gallery(database_url: str) -> StrangerGallery:
    made = StrangerGallery("looks", database_url)
    made.run(SCHEMA)
    return made


async def test_of_several_rows_the_newest_is_brought_to_count_and_none_out_of_scope(
    gallery: StrangerGallery,
) -> None:
    async with shape_runtime(gallery.url, catalog=CATALOG) as runtime:
        ended = await heal(runtime)
    assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 4 * 7)
    rows = gallery.rows("SELECT note, seen IS NOT NULL FROM looks WHERE note <> 'seen' ORDER BY 1")
    assert rows == [("newer", True), ("of a film", False), ("older", False), ("unread", True)]
    made = gallery.rows(
        "SELECT count(*), count(*) FILTER (WHERE wing = 'w' || work || ' p' || person || seen)"
        " FROM looks WHERE note IS NULL"
    )
    assert made == [(4 * 7 - 2, 4 * 7 - 2)]
    ledger = gallery.rows(
        "SELECT user_id, artwork_id, replaced, written ->> 'note' FROM"
        " conservator.backfilled_impression WHERE replaced IS NOT NULL ORDER BY 1"
    )
    assert ledger == [(1, 2, {"seen": None}, "newer"), (2, 3, {"seen": None}, "unread")]
    assert gallery.rows(
        "SELECT count(*) FROM looks JOIN conservator.backfilled_impression AS b"
        " ON (b.user_id, b.artwork_id, b.viewed_at) = (person, work, seen)"
    ) == [(4 * 7,)]


async def test_undo_leaves_what_the_app_has_touched_in_any_column(gallery: StrangerGallery) -> None:
    async with shape_runtime(gallery.url, catalog=CATALOG) as runtime:
        healed = await heal(runtime)
        gallery.run("UPDATE looks SET note = 'liked' WHERE person = 1 AND work IN (2, 3)")
        gallery.run("UPDATE looks SET seen = NULL WHERE person = 2 AND work = 3")
        gallery.run("DELETE FROM looks WHERE person = 4 AND work = 5")
        undone = await undo(runtime, healed.run.id)
    assert undone.run.state is RunState.SUCCEEDED
    assert undone.run.inserted == 4 * 7 - 4, undone.run.outcome
    assert "3 were viewed again since and stay, 1 were gone already" in undone.run.outcome
    assert gallery.rows(
        "SELECT person, work, seen IS NULL FROM looks WHERE note = 'liked' ORDER BY 2, 3"
    ) == [
        (1, 2, False),
        (1, 2, True),
        (1, 3, False),
    ]


async def test_rows_that_are_there_and_do_not_count_are_left_alone_without_set(
    gallery: StrangerGallery,
) -> None:
    async with shape_runtime(gallery.url, catalog=catalog(set=None)) as runtime:
        async with asked(runtime) as (connection, cutoffs):
            seen = await preview_heal(
                connection,
                runtime.healing,
                cutoffs,
                max_rows=1000,
                minimum=5,
                verified_until=None,
            )
        assert (seen.rows, seen.left_alone, seen.census.legacy_untracked) == (4 * 7 - 2, 2, 4 * 7)
        first = await heal(runtime)
        assert (first.run.state, first.run.inserted) == (RunState.SUCCEEDED, 4 * 7 - 2)
        assert first.census is not None and first.census.legacy_untracked == 2
        again = await runtime.planner.plan_audience(
            runtime.run_owner(Trigger.COMMAND), reason="", max_rows=10, guard=lambda *_: None
        )
        assert again.run is None
        assert (
            await runtime.planner.plan_user(
                runtime.run_owner(Trigger.COMMAND), "1", reason="", force=True
            )
            is None
        )
    assert gallery.rows("SELECT count(*) FROM looks WHERE seen IS NULL") == [(4,)]


@pytest.mark.parametrize(
    "changes",
    [{"defaults": {"kind": "'film'"}}, {"set": {"note": "'read'"}}],
    ids=["out of scope", "does not count"],
)
async def test_rows_that_would_not_count_are_not_kept_and_the_run_fails(
    gallery: StrangerGallery, changes: dict[str, object]
) -> None:
    before = gallery.contents()
    async with shape_runtime(gallery.url, catalog=catalog(**changes)) as runtime:
        ended = await heal(runtime)
    assert ended.run.state is RunState.FAILED
    assert (
        "catalog.impressions.defaults and set make in looks are no impressions by"
        in ended.run.outcome
    )
    assert gallery.contents() == before
    assert gallery.rows(_LISTED) == [(0, 0)]


async def test_two_runs_write_each_pair_once_where_no_index_would_keep_them_apart(
    gallery: StrangerGallery,
) -> None:
    gallery.run(
        "INSERT INTO works SELECT n, now() - interval '30 days', 'w'"
        " FROM generate_series(100, 400) AS n"
    )
    pace = {"pace": {"max_batch": 20}}
    async with shape_runtime(gallery.url, catalog=CATALOG, healing=pace) as runtime:
        owner = runtime.run_owner(Trigger.COMMAND)
        whole = await plan(runtime)
        runs = [
            await runtime.planner.plan_user(owner, str(user), reason="", force=True)
            for user in (1, 2, 3, 4)
        ]
        ended = await asyncio.gather(
            *(
                runtime.executor(lambda _: None).work(run)
                for run in (whole, *runs)
                if isinstance(run, Run)
            )
        )
    assert {one.run.state for one in ended} == {RunState.SUCCEEDED}
    twice = (
        "SELECT person, work FROM looks WHERE seen IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert gallery.rows(twice) == []
    written = gallery.rows(
        "SELECT count(*) FROM looks WHERE seen IS NOT NULL AND note IS DISTINCT FROM 'seen'"
    )
    assert gallery.rows("SELECT count(*) FROM conservator.backfilled_impression") == written


async def test_the_service_role_may_bring_rows_to_count(gallery: StrangerGallery) -> None:
    async with shape_runtime(gallery.url, least_privileged=True, catalog=CATALOG) as runtime:
        healed = await heal(runtime)
        assert healed.run.state is RunState.SUCCEEDED, healed.run.outcome
        assert (await undo(runtime, healed.run.id)).run.inserted == 4 * 7


async def test_a_failure_at_the_commit_is_that_of_its_batch_and_loses_nothing(
    server: PostgresServer,
) -> None:
    with stranger_gallery(server, "derived_value") as gallery:
        document = documents("derived_value")[0]
        ((artwork,),) = gallery.rows(
            "SELECT a FROM (" + gallery.pairs + ") AS p WHERE NOT seen"
            " AND created < now() - interval '7 days' GROUP BY a ORDER BY count(*), a LIMIT 1"
        )
        wrong = f"CASE WHEN artwork.id = {artwork} THEN -1 ELSE artwork.wing_id END"
        document["impressions"]["defaults"] = {"wing_id": wrong}
        async with shape_runtime(gallery.url, catalog=document, pools=POOLS) as runtime:
            legacy = gallery.counts()[3]
            ended = await heal(runtime)
        aside = ended.run.quarantined
        assert (ended.run.state, aside > 0) == (RunState.PARTIAL, True)
        assert ended.run.inserted == legacy - aside
        assert gallery.rows(_LISTED) == [(legacy - aside, 0)]
        assert gallery.counts()[3] == aside


@pytest.mark.parametrize(
    ("change", "kept"),
    [("seen = '2020-01-01Z'", "2020"), ("note = 'mine'", None)],
    ids=["marked", "touched"],
)
async def test_a_row_that_the_app_is_changing_is_not_overwritten(
    gallery: StrangerGallery, change: str, kept: str | None
) -> None:
    slow = {"lock_timeout": "30s"}
    async with (
        app_on(gallery.url) as app,
        app_on(gallery.url) as watcher,
        shape_runtime(gallery.url, catalog=CATALOG, database=slow) as runtime,
    ):

        async def somebody_waits() -> bool:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return bool(await watcher.value(waiting))

        run = await plan(runtime)
        await app.run("BEGIN")
        await app.run(f"UPDATE looks SET {change} WHERE person = 2 AND work = 3")
        healing = working(runtime, run)
        await wait_until(somebody_waits)
        await app.run("COMMIT")
        ended = (await healing).run
        ((seen, note),) = await app.rows(
            "SELECT extract(year FROM seen)::text, note FROM looks WHERE person = 2 AND work = 3"
        )
        ledger = await app.rows(
            "SELECT written ->> 'note' FROM conservator.backfilled_impression"
            " WHERE user_id = 2 AND artwork_id = 3"
        )
    assert ended.state is RunState.SUCCEEDED
    if kept is not None:
        assert (seen, ledger) == (kept, [])
    else:
        assert (note, ledger) == ("mine", [("mine",)])


async def test_a_list_of_pairs_is_what_a_run_writes(gallery: StrangerGallery) -> None:
    async with shape_runtime(gallery.url, catalog=CATALOG) as runtime:
        pairs = await listed(runtime, max_rows=1000)
        await heal(runtime)
    written = gallery.rows(
        "SELECT user_id::text, artwork_id::text FROM conservator.backfilled_impression"
        " ORDER BY 1, 2"
    )
    assert sorted((one.user_id, one.artwork_id) for one in pairs) == written
    async with shape_runtime(gallery.url, catalog=catalog(set=None)) as runtime:
        gallery.run("UPDATE looks SET seen = NULL WHERE note IS NULL AND person = 1")
        assert await listed(runtime, max_rows=1000) == []
        assert await listed_of(runtime, "1") == []


async def test_a_row_that_may_not_be_brought_to_count_goes_into_quarantine_and_gets_out(
    gallery: StrangerGallery,
) -> None:
    gallery.run(
        "ALTER TABLE looks ADD CONSTRAINT never CHECK (NOT (person = 2 AND work = 3)"
        " OR seen IS NULL)"
    )
    async with shape_runtime(gallery.url, catalog=CATALOG) as runtime:
        first = (await heal(runtime)).run
        assert (first.state, first.inserted, first.quarantined) == (RunState.PARTIAL, 4 * 7 - 1, 1)
        aside = "SELECT user_id, artwork_id FROM conservator.quarantine"
        assert gallery.rows(aside) == [(2, 3)]
        gallery.run("ALTER TABLE looks DROP CONSTRAINT never")
        second = (await heal(runtime)).run
        assert (second.state, second.inserted) == (RunState.SUCCEEDED, 1)
    assert gallery.rows(aside) == []
    assert gallery.rows(
        "SELECT run_id, replaced FROM conservator.backfilled_impression"
        " WHERE (user_id, artwork_id) = (2, 3)"
    ) == [(second.id, {"seen": None})]


async def test_values_may_come_from_the_row_that_lists_the_pair(gallery: StrangerGallery) -> None:
    gallery.run(
        "CREATE TABLE passes (holder int, piece int, pass text, since timestamptz);"
        " INSERT INTO passes SELECT p.id, w.id, name || p.id || '/' || w.id, now() - age"
        " FROM people AS p CROSS JOIN works AS w"
        " CROSS JOIN (VALUES ('late ', interval '40 days'), ('early ', interval '50 days'))"
        " AS listed (name, age)"
    )
    through = {"table": "passes", "user": "holder", "artwork": "piece", "since": "since"}
    document = {
        **catalog(defaults={"wing": "pair.pass", "note": "'new'"}),
        "pairs": {"through": through},
    }
    async with shape_runtime(gallery.url, catalog=document) as runtime:
        ended = (await heal(runtime)).run
    assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 4 * 7)
    assert gallery.rows(
        "SELECT count(*), bool_and(wing = 'early ' || person || '/' || work) FROM looks"
        " WHERE note = 'new'"
    ) == [(4 * 7 - 2, True)]


async def test_a_column_that_is_not_there_stops_the_healing_and_not_the_counting(
    gallery: StrangerGallery,
) -> None:
    document = catalog(set=None, defaults={"nope": "1"})
    async with shape_runtime(gallery.url, catalog=document) as runtime:
        assert "catalog.impressions.defaults.nope" in str(runtime.blockers)
        async with asked(runtime) as (connection, cutoffs):
            waiting = await count_unwritable(connection, runtime.healing, cutoffs)
        assert waiting.left_alone == 2


@pytest.mark.parametrize("dropped", ["DROP note", "DROP note, DROP wing"])
async def test_an_undo_gives_back_what_was_replaced_in_the_columns_that_are_still_there(
    gallery: StrangerGallery, dropped: str
) -> None:
    gallery.run("UPDATE looks SET wing = 'old' WHERE seen IS NULL")
    kept = "SELECT person, work, seen, kind FROM looks ORDER BY id"
    before = gallery.rows(kept)
    counts = "note IS NOT DISTINCT FROM 'seen'"
    changed = catalog(counts=counts, set={"note": "'seen'", "wing": "'new'"}, defaults=None)
    async with shape_runtime(gallery.url, catalog=changed) as runtime:
        healed = await heal(runtime)
        assert healed.run.state is RunState.SUCCEEDED, healed.run.outcome
    gallery.run(f"ALTER TABLE looks {dropped}")
    without = catalog(set=None, defaults=None)
    async with shape_runtime(gallery.url, catalog=without) as runtime:
        undone = await undo(await tools_to_undo(runtime, healed.run.id), healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 4 * 7)
    assert gallery.rows(kept) == before
    if dropped == "DROP note":
        assert gallery.rows("SELECT count(*) FROM looks WHERE wing = 'old'") == [(4,)]
        assert gallery.rows("SELECT count(*) FROM looks WHERE wing = 'new'") == [(0,)]


async def test_doctor_tells_triggers_on_update_where_rows_are_brought_to_count(
    gallery: StrangerGallery,
) -> None:
    gallery.run(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER touch BEFORE UPDATE ON looks FOR EACH ROW EXECUTE FUNCTION touch()"
    )

    async def told(**changes: object) -> list[str]:
        async with shape_runtime(gallery.url, catalog=catalog(**changes)) as runtime:
            findings = runtime.examination.findings
            return [one.problem for one in findings if one.code == "update_triggers"]

    assert await told() == ["Triggers are there on UPDATE: touch."]
    assert await told(set={}) == []
    gallery.run("ALTER TABLE looks DISABLE TRIGGER touch")
    assert await told() == []


async def test_an_expression_finds_its_own_names_alone(gallery: StrangerGallery) -> None:
    """`place`, `content` and `note` are columns of ours, or of the row that is written, too."""
    gallery.run(
        "ALTER TABLE works ADD place text DEFAULT 'hall', ADD content text DEFAULT 'oil',"
        " ADD note text DEFAULT 'theirs', ADD user_id int DEFAULT 7"
    )
    told = "concat_ws(' ', artwork.wing, place, content, note, user_id)"
    known = catalog(set={"seen": "viewed_at", "wing": told}, defaults=None)
    async with shape_runtime(gallery.url, catalog=known) as runtime:
        assert runtime.blocked is None
        healed = await heal(runtime)
        assert healed.run.state is RunState.SUCCEEDED, healed.run.outcome
    assert gallery.rows(
        "SELECT count(*), count(note), bool_and(wing = 'w' || work || ' hall oil theirs 7')"
        " FROM looks WHERE wing IS NOT NULL"
    ) == [(4 * 7, 2, True)]
    for name in ("artwork_id", "user_id", "place", "work", "m.artwork_id"):
        unknown = catalog(defaults={"wing": f"{name}::text"})
        async with shape_runtime(gallery.url, catalog=unknown) as runtime:
            assert "defaults.wing" in str(runtime.blockers), name


INVOKED = """
CREATE TABLE walls (id int PRIMARY KEY);
INSERT INTO walls SELECT generate_series(1, 4);
CREATE VIEW wall_looks WITH (security_invoker) AS
    SELECT id AS number, person AS "who is", work, seen AS at, kind FROM looks WHERE kind = 'work';
CREATE VIEW invoked WITH (security_invoker) AS
    SELECT number, "who is" AS who, work, at, kind FROM wall_looks;
CREATE VIEW owned AS SELECT id, made FROM works;
CREATE VIEW hung WITH (security_invoker) AS
    SELECT o.id, o.made FROM owned AS o WHERE o.id IN (SELECT id FROM walls) OR o.id > 4;
"""


async def test_views_that_read_by_the_roles_own_rights_are_granted_to_the_ground(
    gallery: StrangerGallery,
) -> None:
    gallery.run(INVOKED)
    document = {
        "artworks": {"table": "hung", "id": "id", "created_at": "made"},
        "users": {"table": "people", "id": "id"},
        "impressions": {
            **{"table": "invoked", "user": "who", "artwork": "work", "viewed_at": "at"},
            **{"counts": "at IS NOT NULL", "set": {"at": "viewed_at"}, "several": True},
            "key": ["number"],
        },
    }
    before = gallery.contents()
    async with shape_runtime(gallery.url, least_privileged=True, catalog=document) as runtime:
        assert runtime.blocked is None
        healed = await heal(runtime)
        assert (healed.run.state, healed.run.inserted) == (RunState.SUCCEEDED, 4 * 7)
        assert (await undo(runtime, healed.run.id)).run.inserted == 4 * 7
    assert gallery.contents() == before
    # Of the tables beneath a view that its owner reads, the role sees nothing.
    granted = "SELECT has_any_column_privilege('conservator_healer', '{}', 'SELECT')"
    assert gallery.rows(granted.format("works")) == [(False,)]
    gallery.run("REVOKE SELECT ON walls FROM conservator_healer")
    async with shape_runtime(as_service(gallery.url), catalog=document) as runtime:
        told = [one for one in runtime.examination.findings if one.code == "no_select_elsewhere"]
        assert [one.subject for one in told] == ["public.walls"]
        assert told[0].problem.startswith("catalog.artworks.table: role ")
        assert 'GRANT SELECT ON "public"."walls" TO' in str(told[0].statements)
    gallery.run("GRANT SELECT (id) ON walls TO conservator_healer")
    async with shape_runtime(as_service(gallery.url), catalog=document) as runtime:
        assert runtime.blocked is None


async def test_a_role_that_may_read_some_columns_is_told_what_it_lacks(
    gallery: StrangerGallery,
) -> None:
    async with shape_runtime(gallery.url, least_privileged=True, catalog=CATALOG):
        pass
    gallery.run(
        "REVOKE SELECT ON looks FROM conservator_healer;"
        " GRANT SELECT (person, work, seen, kind) ON looks TO conservator_healer"
    )
    async with shape_runtime(as_service(gallery.url), catalog=CATALOG) as runtime:
        told = [one for one in runtime.examination.findings if one.code == "no_select"]
    (only,) = told
    assert "may not read every column." in only.problem
    assert 'GRANT SELECT ON "public"."looks" TO' in str(only.statements)


FILTERING = """
CREATE TABLE walls (id int PRIMARY KEY);
CREATE VIEW hidden AS SELECT person, work, seen FROM looks WHERE note = 'seen';
CREATE VIEW of_work AS SELECT person, work, seen, note FROM looks WHERE kind LIKE 'w%';
CREATE VIEW of_film AS SELECT person, work, seen, kind AS sort FROM looks WHERE kind = 'film';
CREATE VIEW above AS SELECT * FROM of_film WHERE seen > '2020-01-01';
CREATE VIEW hung AS SELECT person, work, seen FROM looks WHERE work IN (SELECT id FROM walls);
CREATE VIEW by_pair AS SELECT person, work, seen FROM looks WHERE work > 100;
"""
_FILM: dict[str, object] = {"defaults": {"sort": "'film'"}}
_HIDDEN = "(note = 'seen'::text)"
FILTERS: tuple[tuple[str, dict[str, object], str | None], ...] = (
    ("hidden", {}, _HIDDEN),
    ("of_work", {}, None),
    ("of_film", {}, "(kind = 'film'::text)"),
    ("of_film", _FILM, None),
    ("above", _FILM, None),
    ("above", {}, "kind = 'film'"),
    ("hung", {}, None),
    ("by_pair", {}, None),
)
"""A view, what else is configured, and what of it doctor says is true of no new row."""


async def test_doctor_foretells_a_view_that_would_not_show_what_is_written(
    gallery: StrangerGallery,
) -> None:
    gallery.run(FILTERING)
    for view, changes, told in FILTERS:
        plain: dict[str, object] = dict.fromkeys(("where", "counts", "set", "defaults"))
        document = catalog(table=view, **{**plain, **changes})
        async with shape_runtime(gallery.url, catalog=document) as runtime:
            findings = runtime.examination.findings
            found = [one.problem for one in findings if one.code == "view_hides_new_rows"]
            assert (told or "") in "".join(found), (view, changes)
            assert bool(found) == (told is not None), (view, changes, found)
            if view in ("hidden", "of_work"):
                ended = (await heal(runtime)).run
                fails = RunState.FAILED if found else RunState.SUCCEEDED
                assert ended.state is fails, ended.outcome


async def test_a_scope_that_ends_now_holds_what_is_written_now(gallery: StrangerGallery) -> None:
    scope = "seen IS NULL OR seen <= now()"
    async with shape_runtime(gallery.url, catalog=catalog(where=scope)) as runtime:
        healed = await heal(runtime)
        assert (healed.run.state, healed.run.remaining) == (RunState.SUCCEEDED, 0)
        undone = await undo(runtime, healed.run.id)
    assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, healed.run.inserted)
