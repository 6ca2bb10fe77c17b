"""`discover` in databases whose right answer is known: the three tables first, and a catalog that
counts as the app does, or a question that names what no table says."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.catalogue import parse_name
from checks.discover import sampling, sets, survey
from checks.pipeline import Rows, Statement
from checks.questions import Questions
from monitor.demo.gallery import build_gallery
from monitor.discovery.discover import discover
from monitor.discovery.draft import Draft
from tests.support.app_schema import AppSchema
from tests.support.commands import on_one_server
from tests.support.databases import EMPTY, cloned
from tests.support.discovering import (
    GALLERIES,
    SHOP,
    Expected,
    as_the_app_has_it,
    counts_by,
    counts_of_documents,
    discovered,
    plain_gallery,
    right_counts,
    run,
    tables_of,
)
from tests.support.open_schema import filling
from tests.support.postgres import PostgresServer
from tests.support.schema_matrix import APP_SCHEMAS
from tests.support.stranger_galleries import NAMES, stranger_gallery

EXISTENCE_ANSWERED = "(NOT barred) AND museum IS NULL"


@on_one_server
@pytest.mark.parametrize("expected", GALLERIES, ids=lambda one: one.gallery)
async def test_a_stranger_s_gallery_is_found_and_counted_or_asked_about(
    server: PostgresServer, expected: Expected
) -> None:
    with stranger_gallery(server, expected.gallery) as gallery:
        as_the_app_has_it(gallery)
        before = gallery.contents()
        draft = (await discovered(gallery.owner_url)).drafts[0]
        assert gallery.contents() == before
        assert tables_of(draft) == expected.tables
        assert len(draft.views) == expected.views
        for column in expected.asked:
            assert any(column in f"{one.about} {one.text}" for one in draft.questions), column
        for view in draft.views:
            run(gallery.owner_url, view.statement)
        right = right_counts(gallery, draft.catalog)
        catalog = draft.catalog if expected.exact else answered(draft)
        counts = await counts_by(gallery.owner_url, catalog)
        assert counts == right or counts in await counts_of_documents(gallery)
        assert (draft.census is None) is bool(draft.views)
        if draft.census is not None and expected.exact:
            assert sum(draft.census.counts) == sum(counts or ())
        if draft.views:  # and once it is there, it is found and counted
            again = (await discovered(gallery.owner_url)).drafts[0]
            assert not again.views
            assert again.census is not None
            assert await counts_by(gallery.owner_url, again.catalog) == right


def answered(draft: Draft) -> dict[str, object]:
    """With the one answer that the gallery needs."""
    [question] = [one for one in draft.questions if "museum" in one.text]
    assert "where: museum IS NULL" in question.alternatives
    users = {**draft.catalog["users"], "where": EXISTENCE_ANSWERED}
    return {**draft.catalog, "users": users}


def test_every_gallery_is_tried() -> None:
    assert tuple(one.gallery for one in GALLERIES) == NAMES


@on_one_server
@pytest.mark.parametrize("schema", APP_SCHEMAS, ids=lambda one: one.name)
async def test_the_tables_of_every_known_schema_come_first(
    server: PostgresServer, schema: AppSchema
) -> None:
    spec = schema.spec
    with cloned(server, EMPTY) as url:
        run(url, schema.tables, *filling(plain_gallery(schema), schema))
        draft = (await discovered(url)).drafts[0]
        found = draft.catalog
        for part in ("users", "artworks", "impressions"):
            assert parse_name(found[part]["table"]) == parse_name(getattr(spec, part).table)
        assert found["users"]["id"] == spec.users.id
        assert found["artworks"]["id"] == spec.artworks.id
        impressions = found["impressions"]
        columns = tuple(impressions[one] for one in ("user", "artwork", "viewed_at"))
        assert columns == (
            spec.impressions.user,
            spec.impressions.artwork,
            spec.impressions.viewed_at,
        )
        assert found["artworks"]["created_at"] == spec.artworks.created_at
        assert found["artworks"].get("owner") == spec.artworks.owner
        assert draft.census is not None
        assert draft.census.tracked > 0
        asked = {one.about for one in draft.questions}
        assert spec.timezone == "UTC" or "catalog.timezone" in asked


async def test_a_large_table_is_never_opened_without_sampling(
    app_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_engine.begin() as connection:
        await build_gallery(connection, users=40, artworks=120)
    for module in (sampling, survey, sets):
        monkeypatch.setattr(module, "WHOLE_BYTES", 128 * 1024)
    sent: list[str] = []
    ask = Questions.ask

    async def recorded(
        self: Questions, text: str, values: Mapping[str, object], *before: Statement
    ) -> Rows:
        # Those of doctor have their own bounds.
        if sampling.BY_INDEX in before:
            sent.append(text)
        return await ask(self, text, values, *before)

    monkeypatch.setattr(Questions, "ask", recorded)
    draft = (await discover(app_engine)).drafts[0]
    assert tables_of(draft) == ("users", "art_sessions", "user_art_impressions")
    opened = [one for text in sent for one in OPENED.findall(text)]
    assert opened
    assert set(opened) == {" TABLESAMPLE"}


OPENED = re.compile(r'"public"\."user_art_impressions"( \w+)?')


@on_one_server
async def test_a_role_that_is_hidden_rows_is_asked_for_policies(server: PostgresServer) -> None:
    with stranger_gallery(server, "row_security") as gallery:
        gallery.run(
            """
            DO $$ BEGIN
                IF to_regrole('discover_looker') IS NULL THEN CREATE ROLE discover_looker LOGIN;
                END IF;
            END $$;
            GRANT SELECT ON visitors, artworks, sightings TO discover_looker;
            """
        )
        found = await discovered(gallery.url.replace("postgres@", "discover_looker@", 1))
        assert found.unseen == ("door.cards",)
        draft = found.drafts[0]
        assert tables_of(draft) == ("visitors", "artworks", "sightings")
        assert draft.census is None
        asked = {one.about: " ".join(one.alternatives) for one in draft.questions}
        assert {one for one, text in asked.items() if "CREATE POLICY" in text} == {
            "visitors",
            "sightings",
        }


@on_one_server
async def test_a_shop_has_nothing_of_the_kind(database_url: str) -> None:
    run(database_url, SHOP)
    found = await discovered(database_url)
    assert found.drafts == ()
    nearest = found.nearest[0]
    assert nearest.user.table.name == "customers"
    assert any(one.weight < 0 for one in nearest.signs)
