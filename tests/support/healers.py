"""A role that may heal, and nothing more: not even see how far behind a replica is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from tests.support.app import App

_HEALER = """
CREATE ROLE "RunQueue" LOGIN;
GRANT SELECT ON users, art_sessions, user_art_impressions TO "RunQueue";
GRANT INSERT ON user_art_impressions TO "RunQueue";
"""


@asynccontextmanager
async def may_heal(url: str, app: App) -> AsyncIterator[str]:
    """The URL for a role that may heal, and nothing more."""
    parsed = make_url(url)
    await app.run(_HEALER + f'GRANT CREATE ON DATABASE "{parsed.database}" TO "RunQueue"')
    try:
        yield parsed.set(username="RunQueue").render_as_string(hide_password=False)
    finally:
        await app.run('DROP OWNED BY "RunQueue" CASCADE; DROP ROLE "RunQueue"')
