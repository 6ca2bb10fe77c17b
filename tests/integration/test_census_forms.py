"""Which form of the census is chosen, and that it says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from checks import census as counting
from checks.catalogue import read_catalogue
from checks.census import CensusForm, choose_form
from checks.relations import Catalogue
from checks.spec import ArtworksSpec, CatalogueSpec, UsersSpec
from monitor.database import create_engine, snapshot
from tests.support.app import app_on
from tests.support.open_schema import open_schema, run
from tests.support.schema_matrix import APP

PLAIN = CatalogueSpec()
SOME_ARTWORKS = CatalogueSpec(artworks=ArtworksSpec(where="pool_status = 'active'"))
SOME_USERS = CatalogueSpec(users=UsersSpec(where="is_active"))
UNIQUE = "DROP INDEX user_art_impressions_unique_user_artwork"
IMPRESSIONS = "ALTER TABLE user_art_impressions"
TO_USERS = f"{IMPRESSIONS} DROP CONSTRAINT user_art_impressions_user_id_fkey"
TO_ARTWORKS = f"{IMPRESSIONS} DROP CONSTRAINT user_art_impressions_artwork_id_fkey"
AGAIN = f"{IMPRESSIONS} ADD FOREIGN KEY (user_id) REFERENCES users NOT VALID"


@pytest.mark.parametrize(
    ("change", "spec", "form", "why"),
    [
        ("SELECT", PLAIN, CensusForm.BY_PROBE, "an index leads with the artwork"),
        (
            "DROP INDEX user_art_impressions_artwork_id_idx",
            PLAIN,
            CensusForm.BY_ARTWORK,
            "no index leads with the artwork",
        ),
        ("SELECT", SOME_ARTWORKS, CensusForm.BY_PROBE, ""),
        ("SELECT", SOME_USERS, CensusForm.BY_ARTWORK_JOINED, "catalog.users.where"),
        (UNIQUE, PLAIN, CensusForm.BY_ARTWORK_JOINED, "unique"),
        (
            f"{UNIQUE}; CREATE UNIQUE INDEX ON user_art_impressions (user_id, artwork_id)"
            " WHERE version = 1",
            PLAIN,
            CensusForm.BY_ARTWORK_JOINED,
            "unique",
        ),
        (f"{IMPRESSIONS} ALTER user_id DROP NOT NULL", PLAIN, CensusForm.BY_ARTWORK_JOINED, ""),
        (TO_USERS, PLAIN, CensusForm.BY_ARTWORK_JOINED, "no validated foreign key"),
        (f"{TO_USERS}; {AGAIN}", PLAIN, CensusForm.BY_ARTWORK_JOINED, "no validated foreign key"),
        (
            f"{IMPRESSIONS} DISABLE TRIGGER ALL",
            PLAIN,
            CensusForm.BY_ARTWORK_JOINED,
            "no validated foreign key",
        ),
        (
            "SELECT",
            replace(SOME_USERS, users=UsersSpec(created_at="created_at", where="is_active")),
            CensusForm.BY_USER_AGE,
            "user's creation time",
        ),
        (
            "SELECT",
            replace(PLAIN, artworks=ArtworksSpec(owner="user_id")),
            CensusForm.BY_OWNER,
            "owner",
        ),
    ],
)
async def test_the_cheapest_form_that_the_tables_prove_exact_is_chosen(
    shared_url: str,
    change: str,
    spec: CatalogueSpec,
    form: CensusForm,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "_probing_pays", lambda *_: True)
    async with open_schema(shared_url, APP) as opened, opened.connection.begin() as transaction:
        await run(opened.connection, change)
        catalogue = (await read_catalogue(opened.connection, spec)).require()
        chosen, reason = choose_form(catalogue)
        await transaction.rollback()
    assert chosen is form
    assert why in reason


LARGE = """
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, 250) AS n;
INSERT INTO art_sessions (id, session_id, image_url) VALUES ('a', 's', '/'), ('b', 's', '/');
INSERT INTO user_art_impressions (user_id, artwork_id)
    SELECT u.id, a.id FROM users AS u, art_sessions AS a;
"""


async def test_artworks_are_probed_where_statistics_say_that_this_is_cheaper(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(LARGE)
        plain = await catalogue_on(app_database_url)
        assert choose_form(plain)[0] is CensusForm.BY_ARTWORK
        await app.run("VACUUM ANALYZE user_art_impressions")
        await app.run("VACUUM ANALYZE art_sessions")
        plain = await catalogue_on(app_database_url)
        assert plain.impressions.visible_bytes == plain.impressions.row_bytes > 0
        assert choose_form(plain)[0] is CensusForm.BY_PROBE
        # Half of the rows are changed: an index no longer says whether they are there.
        await app.run("UPDATE user_art_impressions SET version = 2 WHERE artwork_id = 'a'")
        await app.run("ANALYZE user_art_impressions")
        changed = await catalogue_on(app_database_url)
    assert choose_form(changed)[0] is CensusForm.BY_ARTWORK
    told, seen, works = plain.spec.impressions, plain.impressions, plain.artworks
    shown = {**seen.columns, "artwork_id": replace(seen.columns["artwork_id"], collation_oid=1)}
    for other in (
        replace(plain, artworks=replace(works, estimated_rows=10)),
        replace(plain, impressions=replace(seen, partition_key=("user_id",))),
        replace(plain, impressions=replace(seen, columns=shown)),
        replace(plain, spec=replace(plain.spec, impressions=replace(told, where="version = 1"))),
        replace(plain, spec=replace(plain.spec, impressions=replace(told, counts="version = 1"))),
    ):
        form, reason = choose_form(replace(other, proven=plain.arbiter))
        assert form is CensusForm.BY_ARTWORK
        assert reason.endswith("one pass over all impressions is cheaper")
    wider = {**seen.columns, "artwork_id": replace(seen.columns["artwork_id"], base_oid=1043)}
    alike = replace(plain, impressions=replace(seen, columns=wider))
    assert choose_form(alike)[0] is CensusForm.BY_PROBE


async def catalogue_on(url: str) -> Catalogue:
    engine = create_engine(url, pool_size=1)
    async with snapshot(engine, timeout=timedelta(seconds=30)) as connection:
        found = (await read_catalogue(connection, PLAIN)).require()
    await engine.dispose()
    return found
