"""schemathesis finds nothing, whoever calls: no 5xx, and no answer that is not described."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporters.http.routes import ROUTES
from tests.fuzz.api import fuzz, some_users
from tests.fuzz.callers import CALLERS
from tests.fuzz.service import serving
from tests.support.commands import on_one_server

pytestmark = on_one_server

EXAMPLES = 3


@pytest.mark.long
async def test_nothing_that_schemathesis_thinks_of_goes_wrong(
    app_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(app_database_url, tmp_path) as (work, service):
        admin, users = service.client(), some_users(work)
        for caller in (caller for caller in CALLERS if caller.short):
            tried = fuzz(work, admin, caller, examples=EXAMPLES, seed=1, users=users)
            assert tried.failures == 0, tried.output
            assert tried.complete
            assert tried.operations == len(ROUTES) - 1  # the endless stream
            with capsys.disabled():
                print(tried)  # noqa: T201
