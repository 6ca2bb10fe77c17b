"""`check` pushes: to the real Pushgateway, and to an OpenTelemetry collector; so does `serve`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.commands import Workplace, gallery_at, on_one_server
from tests.support.http import Client
from tests.support.otlp import Collector, collecting, kinds_of, resource_of, samples_of
from tests.support.prometheus import free_port
from tests.support.waiting import wait_until_sync

pytestmark = on_one_server
PROGRAM = "prometheus-pushgateway"
LEGACY = ("conservator_artworks", frozenset({("state", "legacy_untracked")}))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[str]:
    """The address of a running Pushgateway."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    try:
        client = Client(f"http://{address}/", None)
        wait_until_sync(lambda: _answers(client))
        yield address
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)


def _answers(client: Client) -> bool:
    try:
        return client.get("-/ready").status == 200
    except OSError:
        return False


def groups(address: str) -> dict[tuple[str, ...], dict[str, float]]:
    """(job, instance, …) -> what the gateway holds of the four counts."""
    text = Client(f"http://{address}/", None).get("metrics").text
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for family in parse_text(text):
        if family.name == "conservator_artworks":
            for sample in family.samples:
                labels = dict(sample.labels)
                state = labels.pop("state")
                key = tuple(f"{name}={value}" for name, value in sorted(labels.items()))
                found.setdefault(key, {})[state] = sample.value
    return found


async def test_a_group_stays_at_the_gateway_until_nothing_is_wrong(
    app_database_url: str, tmp_path: Path, gateway: str
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    pushed = ["check", "census", "--pushgateway", gateway, "--push-group", "instance=night"]
    assert work.run(*pushed, "--push-group", "team=art", "--push-delete").code == 1
    here = ("instance=night", "job=conservator", "team=art")
    assert groups(gateway)[here]["legacy_untracked"] > 0
    assert work.run("heal", "--yes").code == 0
    assert work.run(*pushed).code == 0
    beside = ("instance=night", "job=conservator")
    assert groups(gateway)[beside]["legacy_untracked"] == 0
    assert groups(gateway)[here]["legacy_untracked"] > 0
    assert work.run(*pushed, "--push-group", "team=art", "--push-delete").code == 0
    assert list(groups(gateway)) == [beside]


async def test_what_can_not_be_pushed_is_one_sentence(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    wrong = {
        "--pushgateway http://x --push-group job=1": 64,
        "--pushgateway http://x --push-group night": 64,
        "--push-delete": 64,
        "--pushgateway http://127.0.0.1:1": 1,
    }
    done = work.run_each(*(f"check structure {options}" for options in wrong))
    assert [one.code for one in done] == list(wrong.values())
    assert "--push-group" in done[0].err
    assert "could not be pushed to http://127.0.0.1:1" in done[3].sentence


async def test_check_pushes_once_to_a_collector(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    with collecting() as collector:
        url = f"http://127.0.0.1:{collector.port}"
        checked = work.run("check", "census", "--json", "--otlp", url)
    assert checked.code == 1
    [push] = collector.pushes
    assert samples_of(push)[LEGACY] == checked.json["census"]["legacy_untracked"] > 0


async def test_what_serve_pushes_is_what_it_exports(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with collecting() as collector:
        _configured(work, collector)
        with work.started("serve") as service:
            client = service.client()
            service.until(lambda: any(LEGACY in samples_of(push) for push in collector.pushes))
            # Counts, verdicts and switches stand still: nobody writes.
            names = ("conservator_artworks", "conservator_check_outcome", "conservator_healing_")
            exported = _of(names, client)
            service.until(
                lambda: (
                    exported
                    == {
                        series: value
                        for series, value in samples_of(collector.pushes[-1]).items()
                        if series[0].startswith(names)
                    }
                )
            )
            text = client.get("metrics").text
            kinds = kinds_of(collector.pushes[-1])
            types = dict(line.split()[2:] for line in text.splitlines() if line[:6] == "# TYPE")
            assert kinds == {
                name: {"counter": "total", "untyped": "gauge"}.get(kind, kind)
                for name, kind in types.items()
            }
            assert resource_of(collector.pushes[-1])["service.name"] == "conservator"
            assert service.stop().code == 0


def _configured(work: Workplace, collector: Collector) -> None:
    work.configure(
        healing={"mode": "observe"},
        export={"otlp": {"endpoint": f"http://127.0.0.1:{collector.port}", "every": "1s"}},
    )


def _of(
    names: tuple[str, ...], client: Client
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(client.get("metrics").text)
        for sample in family.samples
        if sample.name.startswith(names)
    }
