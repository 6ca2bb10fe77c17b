"""schemathesis finds nothing, whoever calls: no 5xx, and no answer that is not described."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fuzz.api import fuzz
from tests.fuzz.callers import CALLERS, TOKENS
from tests.support.commands import Running, Workplace, gallery_at, on_one_server

pytestmark = on_one_server

EXAMPLES = 6


@asynccontextmanager
async def serving(url: str, directory: Path) -> AsyncIterator[tuple[Workplace, Running]]:
    """The service on a gallery, with every token, once it has counted."""
    work = await gallery_at(url, directory, server={"port": 0, **TOKENS})
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.get("api/artworks/stats").status == 200)
        yield work, service


async def test_nothing_that_schemathesis_thinks_of_goes_wrong(
    app_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(app_database_url, tmp_path) as (work, service):
        users = [user for (user,) in work.rows("SELECT id FROM users ORDER BY id LIMIT 10")]
        admin = service.client()
        tried = [
            fuzz(work, admin, caller, examples=EXAMPLES, seed=1, users=users) for caller in CALLERS
        ]
        for one in tried:
            assert one.failures == 0, one.output
            assert one.complete
            assert one.operations == 17
        with capsys.disabled():
            print(*tried, sep="\n")  # noqa: T201
        assert service.events("request_failed") == []
        assert service.stop().code == 0
