"""Databases of every kind of encoding: they are counted, healed and taken back, and what their
encoding lacks is nobody's id, and no reason for a pause not to be made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from checks.judgement import Outcome
from monitor.cli.serving import served
from monitor.config import load_config
from monitor.database import create_engine, transaction
from monitor.demo.gallery import SCHEMA
from monitor.healing.repair_undo import RepairUndoPreview
from monitor.policy.decision import Code, Decision, Verdict, record_decision
from monitor.replicas.published import read_published, write_check, write_result
from monitor.run_tools import tools_to_undo
from monitor.service.startup import load_runtime
from monitor.state.checks import keep_validation, read_validations
from monitor.state.control import (
    mark_breaker_open,
    read_control,
    reset_breaker,
    resume,
    suspend,
)
from monitor.state.statements import SchemaStatements
from monitor.state.stored_text import storable
from monitor.status import CheckResult
from tests.support.app import app_on, conninfo
from tests.support.called import call
from tests.support.commands import ADMIN_TOKEN, Done, on_one_server
from tests.support.databases import execute
from tests.support.http import Client
from tests.support.postgres import PostgresServer
from tests.support.repairing import mend, take_back
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.long]

LACKING = "ж\N{ROUND PUSHPIN}"
"""Only Unicode has both: what has Cyrillic letters lacks the pin."""
ENCODINGS = {"LATIN1": "Zoé", "WIN1252": "Zoé €", "EUC_JP": "日本"}
"""With an id that each can hold."""
IN_DATABASES = (
    *("EUC_CN", "EUC_JIS_2004", "EUC_JP", "EUC_KR", "ISO_8859_5", "ISO_8859_6", "ISO_8859_7"),
    *("ISO_8859_8", "KOI8R", "KOI8U", "LATIN1", "LATIN2", "LATIN3", "LATIN4", "LATIN5", "LATIN6"),
    *("LATIN7", "LATIN8", "LATIN9", "LATIN10", "WIN1250", "WIN1251", "WIN1252", "WIN1253"),
    *("WIN1254", "WIN1255", "WIN1256", "WIN1257", "WIN1258", "WIN866", "WIN874", "EUC_TW"),
)
"""The encodings that PostgreSQL lets a database have, but MULE_INTERNAL, UTF8 and SQL_ASCII."""


@dataclass(frozen=True)
class Encoded:
    """A gallery of three users, one of them with a foreign id, in a database of some encoding."""

    name: str
    config: Path
    url: str
    user: str

    def call(self, *arguments: str) -> Done:
        """A command."""
        return call(self.config, *arguments)

    def census(self) -> dict[str, int]:
        """As `check` counts."""
        found = self.call("check", "census", "--json")
        assert found.code in {0, 1}, found.err
        return {name: found.json["census"][name] for name in ("tracked", "legacy_untracked")}


@contextmanager
def encoded(
    server: PostgresServer, folder: Path, encoding: str, user: str, **sections: object
) -> Iterator[Encoded]:
    """Such a gallery, where nothing is healed by itself."""
    name = sql.Identifier(f"encoded_{encoding.lower()}")
    make = "CREATE DATABASE {} ENCODING {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    execute(server, sql.SQL(make).format(name, sql.Literal(encoding)))
    try:
        url = server.url(f"encoded_{encoding.lower()}")
        asyncio.run(_plant(url, user))
        document = {
            "database": {"url": url},
            "server": {"port": 0, "admin_token": ADMIN_TOKEN},
            "healing": {"mode": "observe", "pace": {"duty": "100%"}},
            **sections,
        }
        config = folder / f"{encoding}.yaml"
        config.write_text(json.dumps(document))
        yield Encoded(encoding, config, url, user)
    finally:
        execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


async def _plant(url: str, user: str) -> None:
    async with app_on(url) as app:
        await app.run("SET client_encoding = 'UTF8'")
        await app.run(SCHEMA.read_text())
        await app.plant(users=2, artworks=4)
        await app.run("INSERT INTO users (id) VALUES (%(user)s)", user=user)
        seen = "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES (%(u)s, 'seen0001')"
        await app.run(seen, u=user)


@pytest.fixture(scope="module", params=ENCODINGS)
def gallery(
    request: pytest.FixtureRequest, server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Encoded]:
    folder = tmp_path_factory.mktemp("encoded")
    with encoded(server, folder, request.param, ENCODINGS[request.param]) as made:
        yield made


def test_a_gallery_in_any_encoding_is_counted_healed_and_taken_back(gallery: Encoded) -> None:
    assert gallery.call("init").code == 0
    assert gallery.call("doctor").code == 0
    planted = gallery.census()
    assert planted["legacy_untracked"] == 3 * 4
    healed = gallery.call("heal", "--yes", "--beyond-breaker", "--json")
    assert healed.code == 0, healed.err
    assert gallery.census()["legacy_untracked"] == 0
    assert gallery.call("undo", "1", "--yes").code == 0
    assert gallery.census() == planted
    explained = gallery.call("explain", "--user", gallery.user, "--artwork", "old0001", "--json")
    assert explained.json["state"] == "legacy_untracked"
    assert gallery.call("resume").code == 0


def test_what_the_encoding_lacks_is_nobodys_id(gallery: Encoded) -> None:
    gallery.call("init")
    heal = gallery.call("heal", "--user", LACKING, "--yes")
    assert (heal.code, heal.sentence) == (1, f"No user has the id {LACKING!r}.")
    explain = gallery.call("explain", "--user", LACKING, "--artwork", "old0001")
    assert explain.code == 1
    assert "is no id of the type" in explain.sentence


def test_a_pause_is_made_whatever_its_reason_says(gallery: Encoded) -> None:
    gallery.call("init")
    assert gallery.call("pause", "--reason", f"{gallery.user} {LACKING}").code == 0
    refused = gallery.call("heal", "--yes")
    assert refused.code == 1
    cyrillic = gallery.name == "EUC_JP"
    assert f"{gallery.user} {'ж' if cyrillic else '?'}?" in refused.err
    assert gallery.call("resume").code == 0


def test_the_service_answers_in_any_encoding(gallery: Encoded) -> None:
    gallery.call("init")
    asyncio.run(_served(gallery))


async def _served(gallery: Encoded) -> None:
    with capture_logs() as logs:
        async with served(load_config(gallery.config, {})) as serving:
            board = serving.service.board
            await wait_until(lambda: board.current.decision is not None)
            host, port = serving.runner.addresses[0]
            client = Client(f"http://{host}:{port}/", ADMIN_TOKEN)
            await asyncio.to_thread(_ask, client, gallery)
    assert [one for one in logs if one["log_level"] in {"error", "critical"}] == []


def _ask(client: Client, gallery: Encoded) -> None:
    nobody = quote(LACKING)
    backfill = "api/artworks/backfill-impressions"
    statuses = {
        "stats": client.get(f"api/artworks/stats?user_id={nobody}").status,
        "backfill": client.post(backfill, {"user_id": LACKING}).status,
        "dry run": client.post(backfill, {"user_id": LACKING, "dry_run": True}).status,
        "forced": client.post(backfill, {"user_id": LACKING, "force": True}).status,
        "page": client.get(f"users/{nobody}").status,
        "check": client.get(f"api/checks/{nobody}").status,
    }
    assert statuses == dict.fromkeys(statuses, 404)
    known = client.get(f"api/artworks/stats?user_id={quote(gallery.user)}")
    assert (known.status, known.json["legacy_untracked"]) == (200, 4)
    assert client.post(backfill, {"user_id": gallery.user}).json["updated"] == 4
    assert client.post("api/healing/pause", {"reason": f"{LACKING} \x00"}).status in {200, 422, 400}
    assert client.post("api/healing/pause", {"reason": LACKING}).status == 200
    assert client.get("api/healing").json["paused"] is True
    assert client.post(backfill, {"all": True}).code == "paused"
    assert client.post("api/healing/resume").status == 200


def test_every_text_that_people_read_is_kept_as_far_as_it_can_be(gallery: Encoded) -> None:
    gallery.call("init")
    asyncio.run(_keep_texts(gallery))


BROKEN = CheckResult("timestamps", Outcome.FAIL, 1.0, LACKING, 60.0, 60.0)


async def _keep_texts(gallery: Encoded) -> None:
    result = replace(BROKEN, evidence=({"id": LACKING},))
    state = SchemaStatements("conservator")
    engine = create_engine(gallery.url, pool_size=1)
    try:
        async with transaction(engine) as connection:
            await write_check(connection, state, result)
            await write_result(connection, state, result, age=1.0)
            await suspend(connection, state, LACKING)
            await mark_breaker_open(connection, state, code="share", reason=LACKING)
            decided = Decision(Verdict.WAIT, Code.COOLDOWN, LACKING)
            await record_decision(connection, state, decided, legacy_untracked=None)
            await keep_validation(
                connection, state, "suite", json.dumps({"x": LACKING}, ensure_ascii=False)
            )
            lead = {"holder": LACKING, "lease": timedelta(seconds=1)}
            await state.run(connection, "leader_take", lead)
            published = await read_published(connection, state)
            control = await read_control(connection, state)
            (validation,) = await read_validations(connection, state)
            await resume(connection, state)
            await reset_breaker(connection, state, accepted_share=None)
    finally:
        await engine.dispose()
    kept = storable(LACKING, gallery.name)
    check, decision = published.checks[result.name], published.decision
    assert decision is not None
    assert {
        *(check.message, check.evidence[0]["id"], control.suspended_reason, control.breaker_reason),
        *(decision.reason, published.leader, validation.document["x"]),
    } == {kept}
    assert kept.endswith("?")


def test_texts_are_cut_down_to_what_the_server_can_convert(server: PostgresServer) -> None:
    small = "".join(map(chr, range(1, 0x2700)))  # beyond are no characters of one byte
    large = small + "".join(map(chr, (*range(0x2700, 0xD800), *range(0xE000, 0x10000))))
    with psycopg.connect(server.conninfo()) as connection:
        for encoding in IN_DATABASES:
            every = large if encoding.startswith("EUC") else small
            kept = "".join({*storable(every, encoding)})
            assert len(kept) > 127 or encoding == "EUC_TW"
            asked = "SELECT octet_length(convert_to(%s, %s)) >= %s"
            found = connection.execute(asked, [kept, encoding, len(kept)]).fetchone()
            assert found == (True,), encoding
    assert storable("Wartung: Zoé, ж", "LATIN1") == "Wartung: Zoé, ?"
    assert storable("ж\x00\ud800", "UTF8") == "ж??"
    assert storable("ж", "SQL_ASCII") == "ж"
    assert storable("日本 ж", "EUC_TW") == "?? ?"


def _blocked(gallery: Encoded) -> Mapping[str, Any]:
    """By what is no UTF-8, what must not be done."""
    findings = gallery.call("doctor", "--json").json["findings"]
    return {one["subject"]: one["blocks"] for one in findings if one["code"] == "ids_not_utf8"}


def _run(gallery: Encoded, *statements: bytes) -> None:
    with psycopg.connect(conninfo(gallery.url), client_encoding="SQL_ASCII") as connection:
        for one in statements:
            connection.execute(one)


def test_a_database_without_an_encoding_works_by_utf8(
    server: PostgresServer, tmp_path: Path
) -> None:
    with encoded(server, tmp_path, "SQL_ASCII", "Зоя") as gallery:
        test_a_gallery_in_any_encoding_is_counted_healed_and_taken_back(gallery)
        assert gallery.call("pause", "--reason", LACKING).code == 0
        assert LACKING in gallery.call("heal", "--yes").err
        assert gallery.call("resume").code == 0
        assert gallery.call("heal", "--user", "ё", "--yes").sentence == "No user has the id 'ё'."


def test_ids_that_are_no_utf8_are_counted_and_refused_by_doctor(
    server: PostgresServer, tmp_path: Path
) -> None:
    with encoded(server, tmp_path, "SQL_ASCII", "Зоя") as gallery:
        gallery.call("init")
        assert _blocked(gallery) == {}
        _run(
            gallery,
            b"INSERT INTO users (id) VALUES ('Zo\xe9')",
            b"INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('Zo\xe9', 'seen0001')",
            b"ANALYZE",
        )
        assert gallery.census()["legacy_untracked"] == 4 * 4
        assert _blocked(gallery) == {"users.id": "healing"}
        refused = gallery.call("heal", "--yes", "--beyond-breaker")
        assert refused.code == 1
        assert "error" not in {
            one["outcome"] for one in gallery.call("check", "--json").json["checks"]
        }
        asyncio.run(_pages(gallery))
        _run(
            gallery,
            b"INSERT INTO art_sessions (id, session_id, image_url) VALUES ('a\xff', 's', '/')",
        )
        assert _blocked(gallery) == {"users.id": "healing", "art_sessions.id": "counting"}
        assert gallery.call("check").code == 3


def test_a_key_that_is_no_utf8_can_not_be_shown_and_is_mended_and_given_back(
    server: PostgresServer, tmp_path: Path
) -> None:
    find = "SELECT id, 2 AS v FROM odd WHERE v = 1"
    repair = {"name": "odd", "check": "structure", "table": "odd", "find": find, "action": "update"}
    repairs = [{**repair, "breaker": {"max_share": "100%"}}]
    with encoded(server, tmp_path, "SQL_ASCII", "Зоя", repairs=repairs) as gallery:
        _run(
            gallery,
            b"CREATE TABLE odd (id text PRIMARY KEY, v int)",
            "INSERT INTO odd VALUES ('Зоя', 1)".encode(),
        )
        assert gallery.call("repair", "odd", "--yes").code == 0
        assert gallery.call("undo", "1", "--yes").code == 0
        _run(gallery, b"INSERT INTO odd VALUES ('Zo\xe9', 1)")
        refused = gallery.call("repair", "odd", "--yes")
        assert refused.code == 1 and "no UTF-8" in refused.sentence
        asyncio.run(_mend_unseen(gallery))


async def _mend_unseen(gallery: Encoded) -> None:
    """As nobody looks at the keys before: they never leave the server."""
    settings = load_config(gallery.config, {})
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=2)
    try:
        runtime = await load_runtime(engine, settings, holder="a test")
        ended = (await mend(runtime, "odd", beyond_breaker=True)).run
        assert (ended.state, ended.inserted) == ("succeeded", 2)
        assert _odd(gallery) == {(b"Zo\xe9", 2), ("Зоя".encode(), 2)}
        looked = await (await tools_to_undo(runtime, ended.id)).undo_planner.preview(ended.id)
        assert isinstance(looked, RepairUndoPreview)
        assert set(looked.keys) == {'{"id": "Зоя"}', '{"id": "Zo"}'}
        taken = await take_back(runtime, ended.id)
    finally:
        await engine.dispose()
    assert taken is not None
    assert (taken.run.state, taken.run.inserted) == ("succeeded", 2)
    assert _odd(gallery) == {(b"Zo\xe9", 1), ("Зоя".encode(), 1)}


def _odd(gallery: Encoded) -> set[tuple[bytes, int]]:
    with psycopg.connect(conninfo(gallery.url), client_encoding="SQL_ASCII") as connection:
        return set(connection.execute("SELECT id::bytea, v FROM odd").fetchall())


async def _pages(gallery: Encoded) -> None:
    with capture_logs():
        async with served(load_config(gallery.config, {})) as serving:
            board = serving.service.board
            await wait_until(lambda: board.current.decision is not None)
            host, port = serving.runner.addresses[0]
            client = Client(f"http://{host}:{port}/", ADMIN_TOKEN)
            pages = ("", "users/Zo%E9", "api/checks", "metrics", "runs")
            answers = [(await asyncio.to_thread(client.get, page)).status for page in pages]
    assert answers == [200, 404, 200, 200, 200]
