"""Distinctive secrets go into the real service by every way there is, and come out nowhere."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.commands import PASSWORD, Running, gallery_at, on_one_server, running
from tests.support.http import Client

pytestmark = on_one_server

TOKENS = {
    "admin_token": "secret-of-the-admin-4f6a91",
    "app_token": "secret-of-the-app-77c0de",
    "alert_token": "secret-of-the-alert-19b3aa",
    "read_token": "secret-of-the-reader-d1e2f3",
}
PROMETHEUS = "secret-of-prometheus-5e5e5e"
GUESS = "secret-that-somebody-mistyped-0b0b0b"
SECRETS = (*TOKENS.values(), PROMETHEUS, GUESS, PASSWORD)
PATHS = (
    *("", "metrics", "healthz", "readyz", "nowhere", "api/healing", "api/checks", "api/runs"),
    *("api/checks/census", "api/runs/1", "api/artworks/stats", "api/artworks/stats?user_id=u"),
    *("runbooks/ConservatorDown", "api/openapi.json"),
)
POSTS = (
    *("api/healing/pause", "api/healing/resume", "api/healing/reset-breaker", "api/alerts"),
    *("api/artworks/backfill-impressions", "api/runs/1/undo", "nowhere"),
)


def told(client: Client) -> str:
    """All that this caller ever hears, headers and bodies."""
    heard = [client.get(path) for path in (*PATHS, f"{GUESS}?token={GUESS}")]
    heard += [client.post(path, {"user_id": "nobody"}) for path in POSTS]
    return "".join(f"{answer.headers}{answer.text}" for answer in heard)


def badly_said(address: str) -> str:
    """The answer to a header that is too long, and another that is none."""
    place = urlsplit(address)
    heard = ""
    for header in (f"Authorization: Bearer {GUESS * 500}", f"Bearer {GUESS}"):
        with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
            heard += connection.recv(65_536).decode()
    return heard


def leaked(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def process_title(service: Running) -> str:
    place = Path(f"/proc/{service.process.pid}")
    return (place / "cmdline").read_text() + (place / "comm").read_text()


async def test_no_secret_is_told_in_answers_logs_metrics_or_the_process_title(
    app_database_url: str, tmp_path: Path
) -> None:
    promql = {"url": f"http://user:{PROMETHEUS}@127.0.0.1:9/", "query": "up", "max": 1}
    work = await gallery_at(
        app_database_url, tmp_path, server=TOKENS, healing={"pace": {"promql": promql}}
    )
    with running(tmp_path, "serve") as service:
        admin = service.client(TOKENS["admin_token"])
        # The first run waits for Prometheus, which is not there, and says so.
        service.until(lambda: "promql" in admin.get("api/runs").text, 30)
        callers = (None, GUESS, *TOKENS.values())
        heard = "".join(told(Client(admin.address, token)) for token in callers)
        heard += badly_said(admin.address)
        assert leaked(heard) == []
        assert leaked(process_title(service)) == []
        ended = service.stop()
    assert '"event": "request"' in ended.err
    assert leaked(ended.err + ended.out) == []
    shown = work.run("config", "check")
    assert shown.code == 0
    assert leaked(shown.out + shown.err) == []
