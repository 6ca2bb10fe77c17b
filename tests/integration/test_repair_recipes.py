"""The recipes of docs/repairs.md, and the one of config.yaml, as they stand there: on a real
database, by a role that may do what `init --print-sql` grants for them and nothing more."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from checks.errors import ConfigurationError
from checks.judgement import Outcome
from monitor.checking.once import check_once
from monitor.database import create_engine
from monitor.runtime import Runtime
from monitor.service.startup import load_runtime
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.extras import require_expectations
from tests.support.healing import make_settings, service_settings
from tests.support.repairing import mend, take_back
from tests.support.roles import SERVICE, as_service, prepare_for_service

ROOT = Path(__file__).parents[2]
RECIPE = re.compile(
    r"^### ([^\n]+)\n(?:(?!#)[^\n]*\n)*?```yaml\n(.+?)^```", re.MULTILINE | re.DOTALL
)
TOTALS = """
CREATE TABLE artwork_totals (artwork_id varchar PRIMARY KEY, views int NOT NULL DEFAULT 0);
INSERT INTO artwork_totals SELECT a.id, (SELECT count(*) FROM user_art_impressions i
    WHERE i.artwork_id = a.id) FROM art_sessions a WHERE a.id <> 'old0002';
"""
NO_KEYS = """
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey,
    DROP CONSTRAINT user_art_impressions_artwork_id_fkey;
INSERT INTO user_art_impressions (user_id, artwork_id)
SELECT 'nobody' || n, 'old0001' FROM generate_series(1, 4) AS n;
"""


@dataclass(frozen=True)
class Recipe:
    """What a recipe is tried on."""

    given: str
    """What makes the rows wrong, as the owner."""
    wrong: str
    """A query of how many are."""
    mended: int
    """Rows that all its repairs change."""


RECIPES: Mapping[str, Recipe] = {
    "The first impression of each pair stays": Recipe(
        """
        DROP INDEX user_art_impressions_unique_user_artwork;
        INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
        SELECT user_id, artwork_id, viewed_at + n * interval '1 hour'
        FROM user_art_impressions, generate_series(0, 2) AS n WHERE user_id < 'u0003';
        """,
        "SELECT count(*) - count(DISTINCT (user_id, artwork_id)) FROM user_art_impressions",
        6,
    ),
    "Impressions of nobody, or of nothing": Recipe(
        NO_KEYS + "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', 'none')",
        "SELECT count(*) FROM user_art_impressions i LEFT JOIN users u ON u.id = i.user_id"
        " LEFT JOIN art_sessions a ON a.id = i.artwork_id WHERE u.id IS NULL OR a.id IS NULL",
        5,
    ),
    "A counter that disagrees with what it counts": Recipe(
        TOTALS + "UPDATE artwork_totals SET views = 40 WHERE artwork_id IN ('seen0001', 'old0001')",
        "SELECT count(*) FROM artwork_totals WHERE views = 40",
        2,
    ),
    "A derived row that is missing": Recipe(
        TOTALS,
        "SELECT count(*) FROM art_sessions a LEFT JOIN artwork_totals t ON t.artwork_id = a.id"
        " WHERE t.artwork_id IS NULL",
        1,
    ),
    "Quarantine: a status": Recipe(
        "UPDATE art_sessions SET image_url = '' WHERE id LIKE 'old%'",
        "SELECT count(*) FROM art_sessions WHERE image_url = '' AND pool_status <> 'quarantined'",
        3,
    ),
    "Quarantine: a table of your own": Recipe(
        """
        CREATE TABLE comments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text,
            at timestamptz NOT NULL DEFAULT now(), length int GENERATED ALWAYS AS
            (length(body)) STORED);
        INSERT INTO comments (body) SELECT CASE WHEN n > 6 THEN '' ELSE 'fine' END
        FROM generate_series(1, 10) AS n;
        CREATE TABLE comments_aside (LIKE comments, why text NOT NULL,
            aside_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id));
        """,
        "SELECT count(*) FROM comments WHERE body = ''",
        8,
    ),
    "A suite of Great Expectations tells": Recipe(
        "UPDATE art_sessions SET pool_status = 'lost' WHERE id LIKE 'stored%'",
        "SELECT count(*) FROM art_sessions WHERE pool_status = 'lost'",
        3,
    ),
}
EXAMPLE = Recipe(
    NO_KEYS,
    "SELECT count(*) FROM user_art_impressions i LEFT JOIN users u ON u.id = i.user_id"
    " WHERE u.id IS NULL",
    4,
)


def written() -> dict[str, dict[str, Any]]:
    """The recipes of the document, by their headings."""
    text = (ROOT / "docs/repairs.md").read_text(encoding="utf-8")
    return {name: yaml.safe_load(config) for name, config in RECIPE.findall(text)}


def shipped() -> dict[str, Any]:
    """The one that is commented out in config.yaml."""
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    end = lines.index("repairs: []")
    begin = max(n for n in range(end) if lines[n].startswith("#   - name:"))
    return {
        "repairs": yaml.safe_load("\n".join(one.removeprefix("# ") for one in lines[begin:end]))
    }


def test_every_recipe_of_the_document_is_tried() -> None:
    assert [*written()] == [*RECIPES]


def test_the_recipe_that_fills_an_empty_table_is_not_refused_by_its_breaker() -> None:
    copied, _ = written()["Quarantine: a table of your own"]["repairs"]
    assert copied["breaker"] == {"max_share": "100%"}


@asynccontextmanager
async def served(url: str, config: Mapping[str, Any]) -> AsyncIterator[Runtime]:
    """What `serve` makes of that configuration at its start."""
    settings = await service_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=3)
    try:
        yield await load_runtime(engine, settings, holder="a test")
    finally:
        await engine.dispose()


async def outcomes(runtime: Runtime, config: Mapping[str, Any]) -> set[Outcome | None]:
    """Of the checks that its repairs belong to."""
    names = {one["check"] for one in config["repairs"]}
    board = await check_once(runtime.engine, runtime.settings, names)
    return {one.outcome for one in board.current.checks.values()}


async def tables(app: App) -> list[str]:
    """Every table of the app's."""
    rows = await app.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return [name for (name,) in rows]


@pytest.mark.parametrize("name", [*RECIPES, "config.yaml"])
async def test_a_recipe_mends_and_its_undo_gives_all_back(app_database_url: str, name: str) -> None:
    if "Expectations" in name:
        require_expectations()
    recipe = RECIPES.get(name, EXAMPLE)
    config = shipped() if name == "config.yaml" else written()[name]
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=3)
        await app.run(recipe.given)
        first = await app.fingerprint(*await tables(app))
        assert await app.value(recipe.wrong) > 0
        async with served(app_database_url, config) as runtime:
            assert Outcome.FAIL in await outcomes(runtime, config)
            done = []
            for one in config["repairs"]:
                # The tables here are so small that one row is more than 1 % of them.
                allowed = one.get("breaker", {}).get("max_share") == "100%"
                ended = (await mend(runtime, one["name"], beyond_breaker=not allowed)).run
                assert ended.state is RunState.SUCCEEDED, ended.outcome
                assert ended.repair_plan is not None and ended.repair_plan["asks_again"]
                done.append(ended)
            assert sum(one.inserted for one in done) == recipe.mended
            assert await app.value(recipe.wrong) == 0
            assert await outcomes(runtime, config) <= {Outcome.PASS, Outcome.SKIPPED}
            for one in reversed(done):
                undone = await take_back(runtime, one.id)
                assert undone is not None
                assert undone.run.state is RunState.SUCCEEDED, undone.run.outcome
            assert await app.fingerprint(*await tables(app)) == first


async def test_what_the_role_lacks_is_told_at_the_start_with_the_grants(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(RECIPES["Quarantine: a table of your own"].given)
        config = written()["Quarantine: a table of your own"]
        bare = make_settings(app_database_url)
        await prepare_for_service(bare)
        settings = make_settings(as_service(app_database_url), **config)
        engine = create_engine(settings.database.sqlalchemy_url, pool_size=3)
        try:
            with pytest.raises(ConfigurationError) as refused:
                await load_runtime(engine, settings, holder="a test")
        finally:
            await engine.dispose()
        told = str(refused.value).splitlines()
        assert {line.split(":")[0] for line in told} == {
            *("repairs[0].find", "repairs[0].table", "repairs[1].find", "repairs[1].table")
        }
        for grant in (
            f'GRANT SELECT ON "public"."comments" TO "{SERVICE}";',
            f'GRANT SELECT, INSERT, DELETE ON "public"."comments_aside" TO "{SERVICE}";',
            f'GRANT SELECT, DELETE, INSERT ON "public"."comments" TO "{SERVICE}";',
        ):
            assert any(grant in line for line in told), told
