"""The recipes of docs/your-tables.md, taken from the document: each applied to the gallery of its
shape counts what the app itself sees, and heals exactly that or says that it can't."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.called import call, serve
from tests.support.commands import on_one_server
from tests.support.naive import STATES
from tests.support.oracle import Counts
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import NAMES, POOLS, StrangerGallery, stranger_gallery

DOCUMENT = Path(__file__).parents[2] / "docs/your-tables.md"
MARKED = re.compile(r"<!-- tested: (.+?) -->\n((?:```(?:sql|yaml)\n.*?```\n)+)", re.DOTALL)
BLOCK = re.compile(r"```(sql|yaml)\n(.*?)```\n", re.DOTALL)
FIRST = "first"
"""Marks what every recipe needs."""
SERVICE = "gallery_keeper"

NEVER = {
    "deleted_on_purpose": """
        SELECT FROM viewings AS x JOIN visitors AS v ON v.id = x.visitor_id
        JOIN artworks AS a ON a.id = x.artwork_id WHERE x.seconds = 0 AND a.hung_at < v.cleared_at
    """,
    "derived_value": """
        SELECT FROM viewings AS x JOIN artworks AS a ON a.id = x.artwork_id
        WHERE x.wing_id IS DISTINCT FROM a.wing_id
    """,
    "framework_times": """
        SELECT FROM dismissals WHERE abs(extract(epoch FROM updated_at - created_at)) > 60
    """,
    "tenants": """
        SELECT FROM openings AS o JOIN visitors AS v ON v.id = o.visitor_id
        JOIN artworks AS a ON a.id = o.artwork_id WHERE a.studio_id IS DISTINCT FROM v.studio_id
    """,
}
"""Rows that healing must not leave behind."""

CLEARED = """
    SELECT count(*) FROM visitors AS v CROSS JOIN artworks AS a
    WHERE NOT v.barred AND v.keeps_history AND a.on_show AND a.hung_at <= v.cleared_at
      AND EXISTS (SELECT FROM viewings AS x WHERE x.visitor_id = v.id)
      AND NOT EXISTS (SELECT FROM viewings AS x WHERE x.visitor_id = v.id AND x.artwork_id = a.id)
"""


@dataclass(frozen=True)
class Recipe:
    """One recipe of the document."""

    name: str
    gallery: str
    scripts: tuple[str, ...]
    """SQL, each to be sent by itself."""
    settings: dict[str, Any]
    heals: bool = False
    only: str = "true"
    """Of which pairs of the oracle it speaks."""
    cleared_as_storage: bool = False
    """What was deleted on purpose counts as storage, beside the oracle's pairs."""

    @property
    def impressions(self) -> str:
        """The table or view of the impressions."""
        return str(self.settings["catalog"]["impressions"]["table"])

    def expected(self, gallery: StrangerGallery) -> Counts:
        """What is right to count."""
        tracked, fresh, storage, legacy = gallery.counts(self.only)
        cleared = gallery.rows(CLEARED)[0][0] if self.cleared_as_storage else 0
        return tracked, fresh, storage + cleared, legacy


def recipes() -> Iterator[Recipe]:
    """Those of the document, in its order."""
    first: tuple[str, ...] = ()
    seen: dict[str, int] = {}
    for mark, blocks in MARKED.findall(DOCUMENT.read_text(encoding="utf-8")):
        found = BLOCK.findall(blocks)
        scripts = tuple(text for language, text in found if language == "sql")
        if mark == FIRST:
            first += scripts
            continue
        facts = yaml.safe_load(mark)
        number = seen[facts["gallery"]] = seen.get(facts["gallery"], 0) + 1
        [settings] = [yaml.safe_load(text) for language, text in found if language == "yaml"]
        name = f"{facts['gallery']}-{number}"
        yield Recipe(name=name, scripts=first + scripts, settings=settings, **facts)


RECIPES = tuple(recipes())


def marked() -> Iterator[object]:
    """The recipes as parameters; those that wait for something are marked with it."""
    for one in RECIPES:
        yield pytest.param(one, id=one.name)


@dataclass(frozen=True)
class Applied:
    """A recipe on a gallery of its shape, and the configuration of the least-privileged role."""

    gallery: StrangerGallery
    config: Path


@contextmanager
def applied(
    server: PostgresServer, recipe: Recipe, directory: Path, mode: str = "observe"
) -> Iterator[Applied]:
    """As the document says: the recipe and `init --print-sql`, both as the owner, then a role."""
    with stranger_gallery(server, recipe.gallery) as gallery:
        for role, login in (
            ("conservator_reader", "NOLOGIN"),
            ("conservator_healer", "NOLOGIN"),
            (SERVICE, "LOGIN IN ROLE conservator_healer"),
        ):
            if not gallery.rows(f"SELECT FROM pg_roles WHERE rolname = '{role}'"):
                gallery.run(f"CREATE ROLE {role} {login}")
        for script in recipe.scripts:
            gallery.run(script)
        config = _configure(directory / "owner.yaml", gallery.url, recipe, mode)
        printed = call(config, "init", "--print-sql")
        assert printed.code == 0, printed
        gallery.run(printed.out)
        url = gallery.url.replace("postgres@", f"{SERVICE}@", 1)
        yield Applied(gallery, _configure(directory / "config.yaml", url, recipe, mode))


def _configure(path: Path, url: str, recipe: Recipe, mode: str) -> Path:
    settings = recipe.settings
    document = {
        **settings,
        "database": {"url": url, **settings.get("database", {})},
        "pools": POOLS,
        "healing": {"mode": mode, "pace": {"duty": "100%"}},
        "server": {"port": 0},
    }
    path.write_text(yaml.safe_dump(document))
    return path


@on_one_server
@pytest.mark.parametrize("recipe", [*marked()])
def test_a_recipe_counts_what_the_app_sees_and_heals_that_or_says_why_not(
    server: PostgresServer, recipe: Recipe, tmp_path: Path
) -> None:
    with applied(server, recipe, tmp_path) as at:
        _counts_right(at, recipe)
        if recipe.heals:
            _heals_what_is_missing_and_nothing_else(at, recipe)
        else:
            _refuses_to_heal(at, recipe)
            _is_served(at, recipe)


def _counts_right(at: Applied, recipe: Recipe) -> None:
    done = call(at.config, "check", "census", "--json")
    assert done.code == 1, done
    census = done.json["census"]
    assert census is not None, done
    counted = tuple(census[state] for state in STATES)
    assert counted == recipe.expected(at.gallery)
    assert counted[-1] > 0


def _heals_what_is_missing_and_nothing_else(at: Applied, recipe: Recipe) -> None:
    tracked, fresh, storage, legacy = recipe.expected(at.gallery)
    before = at.gallery.contents()
    doctor = call(at.config, "doctor")
    assert doctor.code == 0, doctor
    done = call(at.config, "heal", "--yes", "--json")
    assert done.code == 0, done
    assert recipe.expected(at.gallery) == (tracked + legacy, fresh, storage, 0)
    after = at.gallery.contents()
    assert {name for name in before if before[name] != after[name]} == {recipe.impressions}
    assert at.gallery.rows(NEVER.get(recipe.gallery, "SELECT WHERE false")) == []
    undone = call(at.config, "undo", str(done.json["run_id"]), "--yes")
    assert undone.code == 0, undone
    assert at.gallery.contents() == before


def _refuses_to_heal(at: Applied, recipe: Recipe) -> None:
    """For the impressions' sake alone: there is no suspicion."""
    before = at.gallery.contents()
    found = call(at.config, "doctor", "--json").json["findings"]
    codes = {one["code"] for one in found if one["blocks"] != "nothing"}
    of_pairs = {"pair_index_wider", "pair_index_missing", "view_hides_pairs"}
    assert codes <= {"impressions_not_a_table", *of_pairs}, found
    done = call(at.config, "heal", "--yes")
    assert done.code == 1, done
    assert recipe.impressions in done.err
    assert at.gallery.contents() == before


def _is_served(at: Applied, recipe: Recipe) -> None:
    before = at.gallery.contents()
    served = serve(at.config)
    assert served.decision is not None
    assert served.counts == recipe.expected(at.gallery)
    assert not served.heals
    assert at.gallery.contents() == before


def test_every_gallery_has_a_recipe_and_every_block_is_tested() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert {one.gallery for one in RECIPES} == {*NAMES}
    tested = [block for _, blocks in MARKED.findall(text) for block in BLOCK.findall(blocks)]
    assert BLOCK.findall(text) == tested


def test_every_section_that_the_document_names_is_there() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    there = {re.sub(r"[^a-z -]", "", one.lower()).replace(" ", "-") for one in headings}
    assert {*re.findall(r"\]\(#([^)]+)\)", text)} <= there
