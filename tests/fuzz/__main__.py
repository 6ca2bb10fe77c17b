"""The long form: `python -m tests.fuzz`, or `make fuzz`. Exit 1 when anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from monitor.checking.expectations.worker import WorkerPool
from monitor.cli.logs import configure_logs
from tests.fuzz.api import fuzz, some_users
from tests.fuzz.callers import CALLERS, TOKENS
from tests.fuzz.campaign import campaign
from tests.fuzz.catalogues import Tried, try_catalogues
from tests.fuzz.clocks import changing_zones, wrong_times
from tests.fuzz.configurations import configurations, try_configuration
from tests.fuzz.notifications import Webhook, notifications
from tests.fuzz.service import serving
from tests.fuzz.settings import Altered, try_settings
from tests.fuzz.suspicions import Suspected, some_galleries, suspect
from tests.fuzz.urls import unreachable, wrong_urls
from tests.integration.doctor_help import Patient
from tests.support.databases import APP, EMPTY, cloned, create_app_template
from tests.support.role_settings import gallery_of
from tests.support.servers import EMBEDDED


def main() -> int:
    """Read the command line, try, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, help="of everything that chance decides")
    add("--examples", type=int, default=100, help="of each call, beside those that are listed")
    add("--inputs", type=int, default=10_000, help="configurations, and notifications")
    add("--galleries", type=int, default=300, help="in which nothing is to be suspected")
    add("--catalogues", type=int, default=300, help="configurations of every word, by chance")
    add("--year", type=int, default=2026, help="whose changes of clocks cron is tried over")
    asked = parser.parse_args()
    configure_logs()
    late = _clocks(asked.year, asked.seed)
    lost = _urls(asked.inputs, asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _say(_configurations(place / "config.yaml", asked.inputs, asked.seed))
        suspected = _suspicions(asked.galleries, asked.seed)
        _say(str(suspected))
        tried = _catalogues(asked.catalogues, asked.seed)
        _say(str(tried))
        altered = _settings()
        _say(str(altered))
        failed = bool(late or lost or suspected.wrong or tried.wrong or altered.wrong)
        for line, wrong in _service(place, asked.examples, asked.inputs, asked.seed):
            _say(line)
            failed = failed or wrong
    return int(failed)


def _clocks(year: int, seed: int) -> list[str]:
    zones = changing_zones(year)
    wrong = wrong_times(zones, year, seed, each=1)
    _say(f"cron: {len(zones)} zones over {year}, {len(wrong)} wrong {wrong[:10]}")
    return wrong


def _urls(inputs: int, seed: int) -> list[str]:
    tried, wrong = wrong_urls(seed, inputs)
    _say(f"urls: {tried:,} tried, {len(wrong)} wrong {wrong[:10]}")
    with EMBEDDED.server() as server:
        led, missed = asyncio.run(unreachable(server.socket_dir, "postgres"))
    _say(f"urls: {led:,} lead to a server, {len(missed)} did not {missed[:10]}")
    return [*wrong, *missed]


def _configurations(place: Path, inputs: int, seed: int) -> str:
    figures = campaign(
        "configurations",
        configurations(),
        lambda text: try_configuration(text, place),
        examples=inputs,
        number=seed,
    )
    return str(figures)


def _suspicions(galleries: int, seed: int) -> Suspected:
    with EMBEDDED.server() as server, cloned(server, EMPTY) as url:
        made = some_galleries(seed, harmless=galleries, suspect=galleries // 10)
        return asyncio.run(suspect(Patient(url, patience=timedelta(minutes=1)), made))


def _catalogues(number: int, seed: int) -> Tried:
    with EMBEDDED.server() as server, cloned(server, EMPTY) as url:
        return asyncio.run(try_catalogues(url, number=number, seed=seed))


def _settings() -> Altered:
    async def attempt(url: str) -> Altered:
        worker = WorkerPool()
        try:
            return await try_settings(await gallery_of(url, worker))
        finally:
            await worker.close()

    with EMBEDDED.server() as server:
        create_app_template(server)
        with cloned(server, APP) as url:
            return asyncio.run(attempt(url))


def _service(place: Path, examples: int, inputs: int, seed: int) -> Iterator[tuple[str, bool]]:
    with EMBEDDED.server() as server:
        create_app_template(server)
        with cloned(server, APP) as url:
            yield from asyncio.run(_against(url, place, examples, inputs, seed))


async def _against(
    url: str, place: Path, examples: int, inputs: int, seed: int
) -> list[tuple[str, bool]]:
    async with serving(url, place) as (work, service):
        webhook = Webhook(service.client().address, TOKENS["alert_token"])
        figures = campaign(
            "notifications",
            notifications(),
            webhook.try_notification,
            examples=inputs,
            number=seed,
        )
        told = [(str(figures), False)]
        users = some_users(work)
        for caller in CALLERS:
            tried = fuzz(work, service.client(), caller, examples=examples, seed=seed, users=users)
            wrong = tried.failures > 0 or not tried.complete
            told.append((f"{tried}\n{tried.output}" if wrong else str(tried), wrong))
    return told


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
