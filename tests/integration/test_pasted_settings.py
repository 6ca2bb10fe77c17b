"""Strangers' galleries, configured by names alone, and then as doctor's snippet says: counted
exactly, or still refused, and never counted wrongly without a word."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from checks.census import take_census
from checks.doctor.findings import Blocks, Examination, in_yaml
from checks.spec import Cutoffs
from monitor.config import Settings, parse_config
from monitor.database import database_now
from monitor.discovery.proposals import proposed_settings
from tests.integration.doctor_help import Patient
from tests.support.commands import on_one_server
from tests.support.oracle import Counts
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import NAMES, POOLS, StrangerGallery, stranger_gallery

EXACT = {"derived_value", "domain_ids", "framework_times", "row_security", "status_rows"}
"""Galleries about which the tables say all that has to be known to count them."""
ROUNDS = 3
"""How often somebody pastes, at most: what a first snippet says may show what else is missing."""


@on_one_server
@pytest.mark.parametrize("name", NAMES)
async def test_what_is_pasted_is_exact_or_refused(server: PostgresServer, name: str) -> None:
    with stranger_gallery(server, name) as gallery:
        sections: dict[str, Any] = {"catalog": gallery.naive, "pools": POOLS}
        for _ in range(ROUNDS):
            settings = configured(gallery, sections)
            examination = await examined(settings)
            if not (proposed := proposed_settings(examination, settings)):
                break
            sections = {**sections, **proposed}
        settings = configured(gallery, sections)
        examination = await examined(settings)
        oracle = gallery.counts()
        counts = await counted(settings, examination)
        assert counts == oracle or examination.blocking()
        assert counts == oracle or name not in EXACT
        # Whatever an expression says is one that PostgreSQL takes.
        codes = {one.code for one in examination.findings}
        assert not codes & {"filter_refused", "set_unusable", "default_unusable"}
        assert not codes & {"made_rows_do_not_count", "made_rows_untold"}


def configured(gallery: StrangerGallery, sections: dict[str, Any]) -> Settings:
    text = in_yaml({"database": {"url": gallery.url}, **sections})
    return parse_config(text, {}, source="pasted", base_dir=None)


async def examined(settings: Settings) -> Examination:
    url = settings.database.sqlalchemy_url
    return await Patient(url, settings.catalog_spec(), settings.pools_spec()).examine()


async def counted(settings: Settings, examination: Examination) -> Counts | None:
    if examination.catalogue is None or examination.blocking(Blocks.COUNTING):
        return None
    engine = create_async_engine(settings.database.sqlalchemy_url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            pools = settings.pools_spec()
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            return (await take_census(connection, examination.catalogue, pools, cutoffs)).counts
    finally:
        await engine.dispose()
