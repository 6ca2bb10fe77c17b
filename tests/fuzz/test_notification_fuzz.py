"""Whatever is handed in as a notification, it is taken or refused, as the description says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.callers import TOKENS
from tests.fuzz.campaign import campaign
from tests.fuzz.notifications import Webhook, notifications
from tests.fuzz.service import serving
from tests.support.commands import on_one_server

pytestmark = on_one_server

EXAMPLES = 400


async def test_no_notification_whatever_makes_the_service_fail(
    app_database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(app_database_url, tmp_path) as (_, service):
        webhook = Webhook(service.client().address, TOKENS["alert_token"])
        figures = campaign(
            "notifications", notifications(), webhook.try_notification, examples=EXAMPLES
        )
        assert figures.tried >= EXAMPLES
        assert 0 < figures.taken < figures.tried
        with capsys.disabled():
            print(figures)  # noqa: T201
