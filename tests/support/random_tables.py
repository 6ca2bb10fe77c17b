"""The tables of a gallery by chance: filled by SQL, with any further columns."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from checks.spec import ArtworksSpec, CatalogueSpec, ImpressionsSpec, UsersSpec

SPREAD = 90
"""Days over which artworks were made."""
USERS, ARTWORKS, IMPRESSIONS = "visitors", "works", "viewings"


@dataclass(frozen=True)
class Extra:
    """A column beside those that every gallery has.

    `value` is an SQL expression: of users over `n` (1, 2, …) and `joined`, of artworks over `n` and
    `made`, of impressions over `viewed` and the rows `p` and `a` of both. random() is seeded.
    """

    table: str
    name: str
    declared: str
    value: str


@dataclass(frozen=True)
class RandomGallery:
    """What makes it, what its tables are called, and the suspicions that it must raise."""

    schema: str
    statements: str
    spec: CatalogueSpec
    suspected: frozenset[str] = frozenset()


def make_gallery(
    schema: str,
    chance: Random,
    sizes: tuple[int, int],
    extras: list[Extra],
    lost: list[str],
    *,
    came: int,
    lag: int,
    suspected: str | None = None,
) -> RandomGallery:
    """Users came in the last `came` days, and view within `lag` days what they see at all."""
    zone = chance.choice(["timestamptz", "timestamp"])
    id_type, user_id, artwork_id = chance.choice(
        [
            ("bigint", "p.n", "a.n + 1000"),
            ("text", "'u' || p.n", "'a' || a.n"),
            ("uuid", "md5('u' || p.n)::uuid", "md5('a' || a.n)::uuid"),
        ]
    )
    keyed, joined_name = chance.random() < 0.7, chance.choice(["created_at", "joined_at"])
    columns = {
        table: [extra for extra in extras if extra.table == table]
        for table in (USERS, ARTWORKS, IMPRESSIONS)
    }
    statements = _SCHEMA.format(
        schema=schema,
        seed=chance.random(),
        id=id_type,
        zone=zone,
        joined_name=joined_name,
        users=sizes[0],
        artworks=sizes[1],
        spread=SPREAD,
        came=came,
        lag=lag,
        user_id=user_id,
        artwork_id=artwork_id,
        user_key=" REFERENCES visitors" if keyed else "",
        artwork_key=" REFERENCES works" if keyed else "",
        lost=" OR ".join(f"({one}) IS TRUE" for one in lost),
        as_users=_selected(columns[USERS]),
        as_artworks=_selected(columns[ARTWORKS]),
        **{f"{table}_columns": _declared(columns[table]) for table in columns},
        **{f"{table}_names": _named(columns[table]) for table in columns},
        viewings_values="".join(f", {extra.value}" for extra in columns[IMPRESSIONS]),
    )
    spec = CatalogueSpec(
        artworks=ArtworksSpec(f"{schema}.{ARTWORKS}", created_at="made_at"),
        users=UsersSpec(
            f"{schema}.{USERS}", created_at=joined_name if chance.random() < 0.5 else None
        ),
        impressions=ImpressionsSpec(
            f"{schema}.{IMPRESSIONS}", user="visitor_id", artwork="work_id", viewed_at="seen_at"
        ),
    )
    return RandomGallery(
        schema, statements, spec, frozenset(() if suspected is None else (suspected,))
    )


def _declared(extras: list[Extra]) -> str:
    return "".join(f", {extra.name} {extra.declared}" for extra in extras)


def _named(extras: list[Extra]) -> str:
    return "".join(f", {extra.name}" for extra in extras)


def _selected(extras: list[Extra]) -> str:
    return "".join(
        f", ({extra.value})::{extra.declared.split()[0]} AS {extra.name}" for extra in extras
    )


_SCHEMA = """
BEGIN;
SET LOCAL timezone = 'UTC';
CREATE SCHEMA {schema};
SET LOCAL search_path = {schema};
SELECT setseed({seed});
CREATE TABLE places (id int PRIMARY KEY);
INSERT INTO places SELECT generate_series(1, 40);
CREATE TABLE visitors (
    id {id} PRIMARY KEY, {joined_name} {zone} NOT NULL{visitors_columns}
);
CREATE TABLE works (id {id} PRIMARY KEY, made_at {zone} NOT NULL{works_columns});
CREATE TABLE viewings (
    visitor_id {id} NOT NULL{user_key},
    work_id {id} NOT NULL{artwork_key},
    seen_at {zone} NOT NULL{viewings_columns},
    PRIMARY KEY (visitor_id, work_id)
);
CREATE INDEX ON viewings (work_id);
CREATE TEMP TABLE people ON COMMIT DROP AS
SELECT n, joined, greatest(random(), random()) AS activity{as_users}
FROM (
    SELECT n, now() - random() * interval '{came} days' AS joined
    FROM generate_series(1, {users}) AS n
) AS p;
CREATE TEMP TABLE pieces ON COMMIT DROP AS
SELECT n, made{as_artworks}
FROM (
    SELECT n, now() - random() * interval '{spread} days' AS made
    FROM generate_series(1, {artworks}) AS n
) AS a;
INSERT INTO visitors SELECT {user_id}, p.joined{visitors_names} FROM people AS p;
INSERT INTO works SELECT {artwork_id}, a.made{works_names} FROM pieces AS a;
INSERT INTO viewings
SELECT {user_id}, {artwork_id}, viewed{viewings_values}
FROM people AS p
CROSS JOIN pieces AS a
CROSS JOIN LATERAL (
    SELECT greatest(p.joined, a.made) + random() * interval '{lag} days' AS viewed
) AS v
-- A CASE is drawn for each pair; a condition of its own might be drawn once for each user.
WHERE CASE WHEN p.n > 0 AND a.n > 0 AND viewed < now() THEN
    random() < p.activity AND NOT ({lost})
END;
ANALYZE visitors, works, viewings;
COMMIT;
"""
