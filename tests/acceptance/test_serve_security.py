"""`serve`: tokens and certificate exchanged, settings taken over, secrets kept, ports closed."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import zlib
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import pytest

from tests.support.commands import (
    ADMIN_TOKEN,
    Running,
    gallery_at,
    on_one_server,
)
from tests.support.http import Client

pytestmark = on_one_server

OBSERVE = {"mode": "observe"}
FIRST, SECOND, READ = "first-token-of-the-admin", "second-token-of-the-admin", "token-of-a-reader"
OTHERS = {"app_token": "token-of-the-app-itself", "alert_token": "token-of-alertmanager"}


def hang_up(service: Running, events: int) -> dict[str, Any]:
    """SIGHUP; what the service made of it."""
    service.process.send_signal(signal.SIGHUP)

    def told() -> list[dict[str, Any]]:
        return [*service.events("config_reloaded"), *service.events("config_refused")]

    service.until(lambda: len(told()) == events)
    return max(told(), key=lambda event: str(event["timestamp"]))


def pauses(client: Client) -> int:
    return client.post("api/healing/pause", {"reason": "test"}).status


async def test_tokens_are_exchanged_without_a_restart_and_a_bad_file_changes_nothing(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    token = tmp_path / "admin_token"
    token.write_text(f"{FIRST}\n")
    server = {"admin_token": None, "admin_token_file": "admin_token", "port": 0}
    work.configure(healing=OBSERVE, server=server)
    with work.started("serve") as service:
        first, second = service.client(FIRST), service.client(SECOND)
        service.until(lambda: first.get("readyz").status == 200)
        assert (pauses(first), pauses(second)) == (200, 401)

        token.write_text(SECOND)
        reloaded = hang_up(service, 1)
        assert reloaded["event"] == "config_reloaded"
        assert reloaded["changed"] == ["server.admin_token"]
        assert (pauses(first), pauses(second)) == (401, 200)

        token.write_text("short")
        refused = hang_up(service, 2)
        assert refused["event"] == "config_refused"
        assert "expected a token of at least 16 characters, found one of 5" in refused["error"]
        (tmp_path / "config.yaml").write_text("database: {url: nonsense}")
        assert hang_up(service, 3)["event"] == "config_refused"
        assert pauses(second) == 200
        work.configure(healing=OBSERVE, server=server)
        token.write_text(SECOND)
        assert hang_up(service, 4)["changed"] == []
        assert len(service.events("listening")) == 1
        assert service.stop().code == 0


async def test_an_open_page_is_cut_off_once_its_token_is_exchanged(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    token = tmp_path / "read_token"
    token.write_text(READ)
    work.configure(healing=OBSERVE, server={"read_token_file": "read_token", "port": 0})
    with work.started("serve") as service:
        service.until(lambda: service.client(READ).get("readyz").status == 200)
        former, lasting = events(service, READ), events(service, ADMIN_TOKEN)
        assert former.readline() == lasting.readline() == b"retry: 10000\n"
        token.write_text("token-of-another-reader")
        assert hang_up(service, 1)["changed"] == ["server.read_token"]
        former.read()  # to its end
        assert service.client(READ).get("events").status == 401
        assert service.client().post("api/healing/pause", {"reason": "a fire"}).status == 200
        while b"a fire" not in (line := lasting.readline()):
            assert line


async def test_what_a_stranger_has_packed_is_not_unpacked(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE)
    with work.started("serve") as service:
        client = service.client(None)
        service.until(lambda: client.get("readyz").status == 200)
        packed, spent = a_gigabyte(), cpu_seconds(service)
        for _ in range(3):
            sent = HTTPConnection(urlsplit(client.address).netloc, timeout=20)
            sent.request("POST", "/api/alerts", packed, {"Content-Encoding": "deflate"})
            assert sent.getresponse().status == 401
            sent.close()
        assert cpu_seconds(service) - spent < 1.0


def events(service: Running, token: str) -> HTTPResponse:
    """An open stream."""
    stream = HTTPConnection(urlsplit(service.client().address).netloc, timeout=20)
    stream.request("GET", "/events", headers={"Authorization": f"Bearer {token}"})
    return stream.getresponse()


def a_gigabyte() -> bytes:
    """Of zeros, as a megabyte."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # Fully flushed, so that each of the same blocks can be unpacked after any other.
    return 62 * (packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH))


def cpu_seconds(service: Running) -> float:
    """That the process has spent so far."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_any_other_setting_waits_for_a_restart_and_is_named(
    app_database_url: str, tmp_path: Path
) -> None:
    started = {"admin_token": FIRST, "port": 0}
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE, server=started)
    before = work.impressions()
    with work.started("serve") as service:
        service.until(lambda: legacy(service.client(FIRST)) is not None)
        wanted = {"admin_token": SECOND, "port": 0, "allow_open": True}
        work.configure(healing={"mode": "heal"}, server=wanted)
        assert hang_up(service, 1)["changed"] == ["server.admin_token"]
        [warning] = service.events("restart_needed")
        assert warning["level"] == "warning"
        assert warning["changed"] == ["healing.mode", "server.allow_open"]
        assert pauses(service.client(SECOND)) == 200
        assert service.client(SECOND).get("api/healing").json["mode"] == "observe"
        # Said again as long as it is so, and no more once the file is as it was.
        assert hang_up(service, 2)["changed"] == []
        assert len(service.events("restart_needed")) == 2
        work.configure(healing=OBSERVE, server=started)
        assert hang_up(service, 3)["changed"] == ["server.admin_token"]
        assert pauses(service.client(FIRST)) == 200
        # Without tokens it would be open as it listens now, which the file does not say.
        work.configure(healing=OBSERVE, server={**started, "admin_token": None, "allow_open": True})
        assert "restart it" in hang_up(service, 4)["error"]
        assert pauses(service.client(FIRST)) == 200
        assert len(service.events("restart_needed")) == 2
        assert len(service.events("listening")) == 1
        assert service.stop().code == 0
    assert work.impressions() == before


def legacy(client: Client) -> float | None:
    stats = client.get("api/artworks/stats")
    return None if stats.status != 200 else float(stats.json["legacy_untracked"])


def certificate(folder: Path, name: str) -> None:
    """A certificate of its own, for 127.0.0.1 and called `name`."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )


def secure(folder: Path, address: str, path: str) -> Any:
    """GET, trusting the certificate in the folder and no other."""
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trust))
    return opener.open(Request(address + path), timeout=10)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_https_with_a_certificate_that_is_renewed_while_it_serves(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    certificate(tmp_path, "first")
    tls = {"cert": "cert.pem", "key": "key.pem"}
    work.configure(healing=OBSERVE, server={"port": 0, "tls": tls})
    with work.started("serve") as service:
        service.until(lambda: bool(service.events("listening")), 30.0)
        address = service.events("listening")[0]["address"]
        assert address.startswith("https://")
        with secure(tmp_path, address, "healthz") as answer:
            assert answer.status == 200
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        certificate(tmp_path, "second")
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            secure(tmp_path, address, "healthz")
        assert hang_up(service, 1)["event"] == "config_reloaded"
        with secure(tmp_path, address, "healthz") as answer:
            assert answer.status == 200
        (tmp_path / "key.pem").write_text("no key")
        refused = hang_up(service, 2)
        assert "server.tls: expected a certificate and its private key" in refused["error"]
        with secure(tmp_path, address, "healthz") as answer:
            assert answer.status == 200
        assert service.stop().code == 0


async def test_nobody_listens_to_everybody_by_mistake(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.configure(server={"host": "0.0.0.0", "admin_token": None, "port": 0})
    done = work.run("serve")
    assert done.code == 78
    assert "server.host: expected an address of this machine alone" in done.err
    assert "set admin_token or read_token, or allow_open: true" in done.err
    for server in ({"allow_open": True}, {"read_token": READ}):
        work.configure(server={"host": "0.0.0.0", "admin_token": None, "port": 0, **server})
        assert work.run("config", "check").code == 0
