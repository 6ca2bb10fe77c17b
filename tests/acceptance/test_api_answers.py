"""Every answer that a call gives when all is well, from the real service, and the description."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.commands import ADMIN_TOKEN, Running, Workplace, gallery_at, on_one_server
from tests.support.http import Answer, Client
from tests.support.openapi import document, mistakes, operations
from tests.support.repairing import MISSPELT, TIERS

pytestmark = on_one_server

BACKFILL = "/api/artworks/backfill-impressions"
RUNBOOK = "/runbooks/{name}"
DESCRIPTION = "/api/openapi.json"
STATIC = "/static/{name}"
NOTIFICATION = {
    "version": "4",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "ConservatorLegacyUntracked"},
            "startsAt": "2026-01-31T12:00:00Z",
            "fingerprint": "f",
        }
    ],
}


APART = {("GET", "/events", 200), ("GET", "/users", 303)}
"""A stream has no end that could be waited for; a redirection is followed."""


class Reader:
    """Calls, and holds every answer against the description."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.seen: set[tuple[str, str, int]] = set()
        self.mistakes: list[str] = []

    def get(self, path: str, *, more: str = "", name: str = "", **headers: str) -> Answer:
        """GET; `name` stands for what the path leaves open, `more` follows it."""
        called = re.sub(r"\{\w+\}", name, path).lstrip("/") + more
        return self._note("GET", path, self._client.get(called, **headers))

    def post(self, path: str, body: object = None, *, name: str = "") -> Answer:
        """POST."""
        called = re.sub(r"\{\w+\}", name, path).lstrip("/")
        return self._note("POST", path, self._client.post(called, body))

    def _note(self, method: str, path: str, answer: Answer) -> Answer:
        self.seen.add((method, path, answer.status))
        self.mistakes += mistakes(method, path, answer.status, answer.headers, answer.text)
        return answer


def all_is_well() -> set[tuple[str, str, int]]:
    """Every status below 400 that is described."""
    return {
        (method, path, int(status))
        for method, path, operation in operations(document())
        for status in operation["responses"]
        if int(status) < 400
    }


def ended(client: Reader, run: int) -> bool:
    """Whether the run has come to its end."""
    state = client.get("/api/runs/{run_id}", name=str(run)).json["run"]["state"]
    return bool(state == "succeeded")


async def test_every_call_answers_what_is_described_of_it(
    app_database_url: str, tmp_path: Path
) -> None:
    healing, repairs = {"mode": "observe"}, [TIERS]
    work = await gallery_at(app_database_url, tmp_path, healing=healing, repairs=repairs)
    work.rows(MISSPELT)
    with work.started("serve") as service:
        reader = Reader(service.client())
        service.until(lambda: reader.get("/api/artworks/stats").status == 200)
        read_all(reader)
        run = heal_one_and_all(reader, work, service)
        page_through(reader, run)
        mend(reader, service)
        switch(reader)
        undo(reader, service, run)
        assert reader.mistakes == []
        assert all_is_well() - reader.seen == APART
        assert service.stop().code == 0


def read_all(reader: Reader) -> None:
    for path in ("/", "/runs", "/users", "/healthz", "/readyz", "/metrics", "/api/checks"):
        assert reader.get(path).status == 200
    reader.get("/api/runs")
    reader.get("/api/artworks/history", more="?range=6h")
    reader.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    reader.get("/api/healing")
    reader.get("/api/checks/{name}", name="census", more="?limit=2")
    for path, name in ((RUNBOOK, "ConservatorDown"), (DESCRIPTION, ""), (STATIC, "page.css")):
        tag = reader.get(path, name=name).headers["Etag"]
        assert reader.get(path, name=name, **{"If-None-Match": tag}).status == 304
    assert reader.post("/api/alerts", NOTIFICATION).json["firing"] == 1


def heal_one_and_all(reader: Reader, work: Workplace, service: Running) -> int:
    user = work.affected_user()
    reader.get("/api/artworks/stats", more=f"?user_id={user}")
    bodies: tuple[Any, ...] = (
        {"user_id": user, "dry_run": True},
        {"user_id": user},
        {"user_id": user},
        {"user_id": user, "force": True},
        {"all": True, "dry_run": True},
        {"all": True},
    )
    assert reader.get("/users/{user_id}", name=user).status == 200
    *_, forced, dry, started = [reader.post(BACKFILL, body) for body in bodies]
    assert (forced.json["run_id"], dry.status, started.status) == (None, 200, 202)
    run = int(started.json["run_id"])
    service.until(lambda: ended(reader, run))
    assert reader.post(BACKFILL, {"all": True}).json == {"updated": 0, "run_id": None}
    return run


def mend(reader: Reader, service: Running) -> None:
    repairs, one = "/api/repairs", "/api/repairs/{name}"
    (listed,) = reader.get(repairs).json["repairs"]
    assert listed["name"] == reader.get(one, name="tiers").json["repair"]["name"] == "tiers"
    assert reader.post(one, {"dry_run": True}, name="tiers").json["would_mend"] == 3
    started = reader.post(one, name="tiers")
    assert started.status == 202
    service.until(lambda: ended(reader, started.json["run_id"]))
    assert reader.post(one, name="tiers").json == {"mended": 0, "run_id": None}


def page_through(reader: Reader, run: int) -> None:
    """The header leads to the same page as the number does."""
    assert reader.get("/runs/{run_id}", name=str(run)).status == 200
    first = reader.get("/api/runs", more="?limit=1")
    assert first.json["next"] == run
    assert first.headers["Link"] == f'<?limit=1&before={run}>; rel="next"'
    last = reader.get("/api/runs", more=f"?limit=1&before={run}")
    assert last.json["next"] is None
    assert "Link" not in last.headers


def switch(reader: Reader) -> None:
    assert reader.post("/api/healing/pause", {"reason": "a test"}).json["paused"]
    assert reader.post(BACKFILL, {"all": True}).status == 409
    assert reader.get("/api/healing").json["paused_reason"] == "a test"
    assert reader.post("/api/healing/resume").status == 200
    assert reader.post("/api/healing/reset-breaker").json["was_open"] is False


def undo(reader: Reader, service: Running, run: int) -> None:
    path = "/api/runs/{run_id}/undo"
    assert reader.post(path, {"dry_run": True}, name=str(run)).json["would_undo"] > 0
    started = reader.post(path, name=str(run))
    assert started.status == 202
    service.until(lambda: ended(reader, started.json["run_id"]))
    assert reader.post(path, name=str(run)).json == {"undone": 0, "run_id": None}
    for status, answer in (
        (404, reader.post(path, name="999")),
        (409, reader.post(path, name=str(started.json["run_id"]))),
        (404, reader.post(BACKFILL, {"user_id": "nobody"})),
    ):
        assert answer.status == status


async def test_what_is_no_http_is_answered_in_json_and_not_logged_with_what_it_said(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    with work.started("serve") as service:
        client = service.client()
        for asked in (
            client.get("api/artworks/stats?user_id=" + "x" * 9_000),
            client.get("healthz", **{"X-Long": ADMIN_TOKEN * 300}),
        ):
            assert (asked.status, asked.code) == (400, "bad_http")
            assert asked.headers["Cache-Control"] == "no-store"
            assert asked.json["error"]["message"].endswith("too long to be read.")
        # Who knows what the rest of it is: nothing more is read from that connection.
        kept = HTTPConnection(urlsplit(client.address).netloc, timeout=20)
        kept.request("GET", "/" + "x" * 9_000)
        with kept.getresponse() as response:
            assert (response.status, response.will_close) == (400, True)
        logged = service.events("request_unreadable")
        assert [event["error"] for event in logged] == ["LineTooLong"] * 3
        done = service.stop()  # which finds no traceback in what was logged
        assert done.code == 0
        assert ADMIN_TOKEN not in done.err
