"""What `discover` is expected to find in each database whose right answer is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from checks.census import take_census
from checks.doctor.findings import in_yaml
from checks.doctor.rules import examine
from checks.spec import Cutoffs
from monitor.config import Settings, parse_config
from monitor.database import create_engine, database_now
from monitor.discovery.discover import Discovery, discover
from monitor.discovery.draft import Draft
from tests.support.app import conninfo
from tests.support.app_schema import AppSchema
from tests.support.galleries import Gallery, Person, Piece, micros
from tests.support.oracle import Counts
from tests.support.stranger_galleries import FOLDER, POOLS, StrangerGallery, documents


@dataclass(frozen=True)
class Expected:
    """A stranger's gallery, and what has to be found there."""

    gallery: str
    tables: tuple[str, str, str]
    """Users, artworks, impressions."""
    asked: tuple[str, ...] = ()
    """Columns that a question names, because only a person knows what they mean."""
    views: int = 0
    """Views that have to be made first."""
    exact: bool = True
    """What is proposed counts as the oracle does, or as one of the documents; False: only once
    what is asked has been answered."""


GALLERIES = (
    Expected("anonymous", ("visitors", "artworks", "glances")),
    Expected("composite_keys", ("patrons", "sheets", "visits"), ("venue_id",)),
    Expected(
        "deleted_on_purpose",
        ("visitors", "artworks", "viewings"),
        ("seconds", "keeps_history"),
    ),
    Expected("derived_value", ("visitors", "artworks", "viewings")),
    Expected("domain_ids", ("visitors", "artworks", "sightings"), ("code",)),
    Expected("epoch", ("guests", "pieces", "looks")),
    Expected("existence_only", ("visitors", "artworks", "ticks"), ("museum", "id"), exact=False),
    Expected("framework_times", ("visitors", "placards", "dismissals")),
    Expected("polymorphic", ("members", "prints", "seen_things"), ("seen_things.id",), views=1),
    Expected("row_security", ("visitors", "artworks", "sightings")),
    Expected("status_rows", ("card_holders", "works", "dealings")),
    Expected("subscriptions", ("visitors", "artworks", "notes"), ("id", "pinned"), views=1),
    Expected("tenants", ("visitors", "artworks", "openings"), ("openings",)),
)
_OWN_VIEWS = re.compile(r"^create view (\w+)", re.MULTILINE)
_OF_ONE = re.compile(r"^venue_id = (\d+)$")


async def discovered(url: str) -> Discovery:
    """What is found in the database."""
    engine = create_engine(url, pool_size=1)
    try:
        return await discover(engine)
    finally:
        await engine.dispose()


def run(url: str, *statements: str) -> None:
    """Each in a transaction of its own."""
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def as_the_app_has_it(gallery: StrangerGallery) -> None:
    """Without the views that a user of conservator would add."""
    script = (FOLDER / f"{gallery.name}.sql").read_text().partition("Not the app's")[2]
    for view in _OWN_VIEWS.findall(script):
        gallery.run(f"DROP VIEW {view} CASCADE")


def tables_of(draft: Draft) -> tuple[str, str, str]:
    """Users, artworks, impressions; without the schema that the search path has."""
    catalog = draft.catalog
    users, artworks, impressions = (
        catalog[one]["table"].removeprefix("public.")
        for one in ("users", "artworks", "impressions")
    )
    return users, artworks, impressions


def right_counts(gallery: StrangerGallery, catalog: Mapping[str, Any]) -> Counts:
    """What the app itself sees of the rows that the catalog is about."""
    of_one = _OF_ONE.match(catalog["impressions"].get("where", ""))
    return gallery.counts(f"u LIKE '{of_one[1]}/%'" if of_one else "true")


async def counts_of_documents(gallery: StrangerGallery) -> list[Counts | None]:
    """The counts by each document of the gallery's YAML, but those for which a view lacks."""
    return [await counts_by(gallery.url, one) for one in documents(gallery.name)]


async def counts_by(url: str, catalog: Mapping[str, Any]) -> Counts | None:
    """The census by a catalog; None where something blocks counting."""
    text = in_yaml({"database": {"url": url}, "catalog": catalog, "pools": POOLS})
    settings = parse_config(text, {}, source="discovered", base_dir=None)
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await _counted(connection, settings)
    finally:
        await engine.dispose()


async def _counted(connection: Any, settings: Settings) -> Counts | None:
    spec, pools = settings.catalog_spec(), settings.pools_spec()
    found = await examine(connection, spec, pools, state_schema="conservator")
    if found.catalogue is None or any(one.blocks == "counting" for one in found.findings):
        return None
    cutoffs = Cutoffs.at(await database_now(connection), pools)
    return (await take_census(connection, found.catalogue, pools, cutoffs)).counts


def plain_gallery(schema: AppSchema) -> Gallery:
    """Twelve people who have seen most of what there is for them, none of it fresh."""
    now = datetime.now(UTC).replace(microsecond=0)
    day = timedelta(days=1)
    people = tuple(Person(number, micros(now - 90 * day)) for number in range(12))
    pieces = tuple(
        Piece(number, micros(now - (20 + number) * day), number % 12 if schema.owned else None)
        for number in range(60 if schema.owned else 14)
    )
    views = tuple(
        (person.id, piece.id)
        for person in people
        for piece in pieces
        if (person.id * 7 + piece.id * 5) % 10 < 7
        and (not schema.owned or piece.owner == person.id)
    )
    return Gallery(now, people=people, pieces=pieces, views=views)


SHOP = """
CREATE TABLE customers (id serial PRIMARY KEY, email text UNIQUE, created_at timestamptz NOT NULL);
CREATE TABLE warehouses (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE products (
    id serial PRIMARY KEY, title text NOT NULL, price numeric, published_at timestamptz NOT NULL
);
CREATE TABLE categories (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE product_categories (
    product_id int REFERENCES products, category_id int REFERENCES categories,
    PRIMARY KEY (product_id, category_id)
);
CREATE TABLE stock (
    warehouse_id int REFERENCES warehouses, product_id int REFERENCES products,
    number int NOT NULL, counted_at timestamptz NOT NULL, PRIMARY KEY (warehouse_id, product_id)
);
CREATE TABLE orders (
    id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers,
    placed_at timestamptz NOT NULL, status text NOT NULL
);
CREATE TABLE order_lines (
    order_id int REFERENCES orders, product_id int REFERENCES products, number int NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
CREATE TABLE reviews (
    customer_id int REFERENCES customers, product_id int REFERENCES products,
    stars int NOT NULL, body text, created_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, product_id)
);
CREATE TABLE wishlist (
    customer_id int REFERENCES customers, product_id int REFERENCES products,
    added_at timestamptz NOT NULL, PRIMARY KEY (customer_id, product_id)
);
CREATE TABLE roles (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE customer_roles (
    customer_id int REFERENCES customers, role_id int REFERENCES roles,
    PRIMARY KEY (customer_id, role_id)
);
INSERT INTO customers (email, created_at)
    SELECT g || '@example.org', now() - interval '1 year' FROM generate_series(1, 200) AS g;
INSERT INTO products (title, price, published_at)
    SELECT 'product ' || g, g, now() - g * interval '1 day' FROM generate_series(1, 300) AS g;
INSERT INTO categories (name) SELECT 'category ' || g FROM generate_series(1, 8) AS g;
INSERT INTO warehouses (name) SELECT 'warehouse ' || g FROM generate_series(1, 4) AS g;
INSERT INTO roles (name) VALUES ('buyer'), ('seller'), ('guest');
INSERT INTO product_categories
    SELECT p, c FROM generate_series(1, 300) AS p, generate_series(1, 8) AS c WHERE (p + c) % 3 > 0;
INSERT INTO stock SELECT w, p, p, now()
    FROM generate_series(1, 4) AS w, generate_series(1, 300) AS p;
INSERT INTO orders (customer_id, placed_at, status)
    SELECT 1 + g % 200, now() - g * interval '1 hour', 'sent' FROM generate_series(1, 900) AS g;
INSERT INTO order_lines SELECT o, 1 + (o * 7 + l) % 300, 1
    FROM generate_series(1, 900) AS o, generate_series(1, 3) AS l;
INSERT INTO reviews SELECT c, 1 + (c * 11 + n) % 300, 1 + n % 5, 'fine', now()
    FROM generate_series(1, 200) AS c, generate_series(1, 5) AS n;
INSERT INTO wishlist SELECT c, 1 + (c * 13 + n) % 300, now()
    FROM generate_series(1, 200) AS c, generate_series(1, 4) AS n;
INSERT INTO customer_roles SELECT c, r
    FROM generate_series(1, 200) AS c, generate_series(1, 3) AS r;
ANALYZE;
"""
"""A database without anything of the kind: orders, reviews, wishes, stock."""
