"""Which form of the census is chosen, and that it says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.catalogue import read_catalogue
from checks.census import CensusForm, choose_form
from checks.spec import ArtworksSpec, CatalogueSpec, PoolsSpec, UsersSpec
from tests.support.open_schema import open_schema, run
from tests.support.schema_matrix import APP

POOLS = PoolsSpec()
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
        ("SELECT", PLAIN, CensusForm.BY_TOTAL, "a counted artwork"),
        (
            "ALTER TABLE art_sessions ALTER created_at DROP NOT NULL",
            PLAIN,
            CensusForm.BY_ARTWORK,
            "may have no creation time",
        ),
        (TO_ARTWORKS, PLAIN, CensusForm.BY_ARTWORK, "no validated foreign key"),
        (
            "DROP INDEX user_art_impressions_artwork_id_idx",
            PLAIN,
            CensusForm.BY_ARTWORK,
            "no index leads with the artwork",
        ),
        ("SELECT", SOME_ARTWORKS, CensusForm.BY_ARTWORK, "catalog.artworks.where"),
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
    shared_url: str, change: str, spec: CatalogueSpec, form: CensusForm, why: str
) -> None:
    async with open_schema(shared_url, APP) as opened, opened.connection.begin() as transaction:
        await run(opened.connection, change)
        catalogue = (await read_catalogue(opened.connection, spec)).require()
        chosen, reason = choose_form(catalogue, POOLS)
        await transaction.rollback()
    assert chosen is form
    assert why in reason


async def test_a_border_on_creation_may_leave_too_much_in_storage_for_totals(
    shared_url: str,
) -> None:
    pools = replace(POOLS, legacy_created_before=datetime(2026, 1, 1, tzinfo=UTC))
    async with open_schema(shared_url, APP) as opened:
        form, reason = choose_form(opened.catalogue, pools)
    assert form is CensusForm.BY_ARTWORK
    assert "legacy_created_before" in reason
