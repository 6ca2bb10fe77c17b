"""The application behind a client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.exporters.serving import Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The application with all tokens configured, over a service at work."""
    async with serving() as running:
        yield running
