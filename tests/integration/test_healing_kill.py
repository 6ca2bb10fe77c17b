"""kill -9 in the middle of a run, again and again: nothing is lost, nothing is repeated."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.app import App, app_on
from tests.support.forks import Forked, fork, plain_environment
from tests.support.healing import IMPRESSIONS, RECORD, Gate, document, make_runtime
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_records_agree,
    start_audit,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

SETTINGS = {
    "database": {"lock_timeout": "30s"},
    "healing": {"pace": {"max_batch": 10}, "breaker": {"max_share": "100%"}},
    "lease": "300ms",
}


@contextmanager
def healing(config: Path, *options: str) -> Iterator[Forked]:
    """`conservator heal` in a process of its own, which does not outlive the context."""
    streams = (Path(os.devnull), said(config), said(config))
    process = fork(config.parent, ("heal", "--yes", *options), streams, plain_environment())
    try:
        yield process
    finally:
        process.kill()


def said(config: Path) -> Path:
    """What all of its processes have said."""
    return config.with_name("said")


async def finish(config: Path, app: App, *options: str) -> str:
    """Start again once the dead process's lease has run out, and wait for the end."""
    await wait_until(lambda: lease_has_run_out(app))
    said(config).unlink()
    with healing(config, *options) as process:
        await wait_until(lambda: process.poll() is not None)
        output = said(config).read_text()
        assert process.poll() == 0, output
        return output


def written(tmp_path: Path, url: str) -> Path:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(document(url, **SETTINGS)), encoding="utf-8")
    return config


async def test_a_run_killed_inside_its_batches_goes_on_and_repeats_nothing(
    app_database_url: str, tmp_path: Path
) -> None:
    config, points = (
        written(tmp_path, app_database_url),
        ((0, IMPRESSIONS), (1, RECORD), (5, IMPRESSIONS)),
    )
    async with app_on(app_database_url) as app, app_on(app_database_url) as keeper:
        await app.plant(users=10, artworks=12)
        async with make_runtime(app_database_url):
            pass  # for the state schema, which the gate looks at
        await start_audit(app)
        before = await app.value("SELECT count(*) FROM user_art_impressions")
        gate = Gate(keeper)
        for number, (point, place) in enumerate(points):
            if number:
                await wait_until(lambda: lease_has_run_out(app))
                await gate.close(after_batches=point, place=place)
            else:
                await gate.build(after_batches=point, place=place)
            with healing(config) as process:
                await wait_until(gate.somebody_waits)
                process.kill()
                process.wait()
            await gate.open()
            await wait_until(lambda: no_session_left(app))
            # Who stands in the last trip has sent the commit already.
            done = point + 1 if place == RECORD else point
            # Every second batch is the rest of a user whom the one before took in part.
            assert await app.rows(
                "SELECT state, batches, artwork_cursor IS NOT NULL FROM conservator.run"
            ) == [("running", done, done % 2 == 1)]
            await assert_records_agree(app)
        output = await finish(config, app)
        assert "was left unfinished" in output
        assert await app.rows("SELECT state, token, inserted FROM conservator.run") == [
            ("succeeded", len(points) + 1, 120)
        ]
        assert await app.value("SELECT count(*) FROM user_art_impressions") == before + 120
        await assert_exactly_healed(app)


async def no_session_left(app: App) -> bool:
    found = await app.value(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'conservator' AND datname = current_database()"
    )
    return bool(found == 0)


async def test_a_run_killed_at_any_moment_goes_on_and_repeats_nothing(
    app_database_url: str, tmp_path: Path
) -> None:
    config = written(tmp_path, app_database_url)
    async with app_on(app_database_url) as app:
        await app.plant(users=40, artworks=25)
        async with make_runtime(app_database_url):
            pass
        await start_audit(app)
        for batches in (5, 25):

            async def has_come_so_far(batches: int = batches) -> bool:
                return bool(
                    await app.value(
                        "SELECT coalesce(max(batches), 0) >= %(n)s FROM conservator.run", n=batches
                    )
                )

            with healing(config) as process:
                await wait_until(has_come_so_far)
                process.kill()
                process.wait()
            await wait_until(lambda: no_session_left(app))
            await assert_records_agree(app)
            await wait_until(lambda: lease_has_run_out(app))
        await finish(config, app)
        assert await app.rows("SELECT state, inserted FROM conservator.run") == [
            ("succeeded", 1000)
        ]
        await assert_exactly_healed(app)


async def lease_has_run_out(app: App) -> bool:
    return bool(await app.value("SELECT bool_and(lease_until <= now()) FROM conservator.run"))
