"""SIGHUP: tokens, certificate and pace change under a service that goes on; nonsense changes
nothing."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.certificates import make_certificate
from tests.support.commands import Running, gallery_at, on_one_server
from tests.support.http import Client

pytestmark = on_one_server

OLD, NEW = "the-first-admin-token-of-all", "the-second-admin-token-of-all"
FAILED = "conservator_config_reload_failed"


def hang_up(service: Running, event: str) -> dict[str, object]:
    """What the service says to one more SIGHUP."""
    before = len(service.events(event))
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: len(service.events(event)) > before)
    return service.events(event)[-1]


def resume(client: Client) -> int:
    return client.post("api/healing/resume").status


async def test_tokens_rotate_without_a_restart_and_a_bad_file_changes_nothing(
    app_database_url: str, tmp_path: Path
) -> None:
    token_file = tmp_path / "admin_token"
    token_file.write_text(OLD + "\n")
    server = {"admin_token": None, "admin_token_file": token_file.name}
    healing = {"mode": "observe"}
    work = await gallery_at(app_database_url, tmp_path, healing=healing, server=server)
    with work.started("serve") as service:
        old, new = service.client(OLD), service.client(NEW)
        assert (resume(old), resume(new)) == (200, 401)

        token_file.write_text(NEW + "\n")
        told = hang_up(service, "config_reloaded")
        assert (told["applied"], told["restart_needed"]) == (["server.admin_token"], [])
        assert (resume(old), resume(new)) == (401, 200)

        # Too short: refused as a whole, with its place, and the tokens stay.
        token_file.write_text("short")
        refused = hang_up(service, "config_refused")
        assert "server.admin_token_file" in str(refused["error"])
        assert resume(new) == 200
        assert new.metrics()[FAILED] == 1

        token_file.write_text(NEW)
        work.configure(healing={"mode": "heal", "max_rows_per_run": 1}, server=server)
        told = hang_up(service, "config_reloaded")
        assert told["applied"] == ["healing.max_rows_per_run"]
        assert told["restart_needed"] == ["healing.mode"]
        assert new.metrics()[FAILED] == 0
        assert new.get("api/healing").json["mode"] == "observe"
        # The next run is planned by what was read again.
        asked = new.post("api/artworks/backfill-impressions", {"all": True})
        assert asked.status == 202
        run = new.get(f"api/runs/{asked.json['run_id']}").json["run"]
        assert run["planned_rows"] == 1
        assert service.stop().code == 0


async def test_a_renewed_certificate_is_shown_to_the_next_connection(
    app_database_url: str, tmp_path: Path
) -> None:
    first = make_certificate(tmp_path)
    trusts_first = first.trusted()
    tls = {"cert": first.cert.name, "key": first.key.name}
    work = await gallery_at(
        app_database_url, tmp_path, healing={"mode": "observe"}, server={"tls": tls}
    )
    with work.started("serve") as service:
        service.until(lambda: bool(service.events("listening")), 30)
        address = str(service.events("listening")[0]["address"])
        assert address.startswith("https://")
        assert Client(address, tls=trusts_first).get("healthz").status == 200

        make_certificate(tmp_path, "other")
        key = first.key.read_bytes()
        first.key.write_bytes((tmp_path / "other.key").read_bytes())
        refused = hang_up(service, "config_refused")
        assert "server.tls" in str(refused["error"])
        first.key.write_bytes(key)
        assert Client(address, tls=trusts_first).get("healthz").status == 200

        second = make_certificate(tmp_path)
        hang_up(service, "config_reloaded")
        shown = ssl.get_server_certificate(("127.0.0.1", urlsplit(address).port or 0))
        assert shown.split() == second.cert.read_text().split()
        assert Client(address, tls=second.trusted()).get("healthz").status == 200


async def test_a_port_that_others_reach_without_any_token_is_not_opened(
    app_database_url: str, tmp_path: Path
) -> None:
    server = {"host": "0.0.0.0", "admin_token": None}
    work = await gallery_at(app_database_url, tmp_path, server=server)
    ended = work.run("serve")
    assert ended.code == 78
    assert "server.host" in ended.err
    assert "allow_open: true" in ended.err
