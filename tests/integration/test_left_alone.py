"""The pairs that are left alone, against a statement that asks for each row by itself, on random
rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from checks.census import parameters
from checks.statements import compose, raw
from monitor.healing.quarantine import count_left_alone, count_unwritable
from tests.support.any_shape import shape_runtime
from tests.support.databases import EMPTY, cloned
from tests.support.pair_lists import asked
from tests.support.postgres import PostgresServer
from tests.support.servers import EMBEDDED
from tests.support.stranger_galleries import StrangerGallery

EACH_BY_ITSELF = """
SELECT u.id AS user_id, count(DISTINCT a.id) AS pairs
FROM {uncounted_rows} AS i
JOIN {counted_users} AS u ON u.id = i.{user}
JOIN {counted_artworks} AS a ON a.id = i.{artwork}
WHERE {is_legacy} AND {not_excused} AND {is_paired} AND {audience_or_all}
  AND NOT EXISTS (
      SELECT 1 FROM {impressions} AS c WHERE c.{user} = i.{user} AND c.{artwork} = i.{artwork}
  )
GROUP BY u.id
"""
SCHEMA = """
SELECT setseed({seed});
CREATE TABLE people (id int PRIMARY KEY, since timestamptz, wing int);
CREATE TABLE works (id int PRIMARY KEY, made timestamptz NOT NULL, wing int, owner int);
CREATE TABLE lists (person int, work int, since timestamptz);
CREATE TABLE looks (person int NOT NULL, work int NOT NULL, at timestamptz, seen bool);
INSERT INTO people
SELECT n, now() - random() * interval '60 days', random() * 2 FROM generate_series(1, 30) AS n;
INSERT INTO works SELECT n, now() - random() * interval '60 days', random() * 2, random() * 30
FROM generate_series(1, 20) AS n;
INSERT INTO lists SELECT p, w, now() - random() * interval '60 days'
FROM generate_series(1, 30) AS p, generate_series(1, 20) AS w, generate_series(1, 2)
WHERE random() < 0.5;
INSERT INTO looks SELECT p, w, now(), CASE WHEN p % 5 > 0 THEN random() < 0.3 END
FROM generate_series(1, 30) AS p, generate_series(1, 20) AS w, generate_series(1, {rows})
WHERE random() < 0.6;
CREATE {unique} INDEX ON looks (person, work);
"""
SHAPES: dict[str, dict[str, Any]] = {
    "all": {},
    "owner": {"artworks": {"owner": "owner"}},
    "same": {"pairs": {"same": [{"user": "wing", "artwork": "wing"}]}},
    "through": {
        "pairs": {
            "through": {"table": "lists", "user": "person", "artwork": "work", "since": "since"}
        }
    },
    "joined": {"users": {"created_at": "since"}},
}


@pytest.fixture(scope="module", params=[False, True], ids=["one", "several"])
def gallery(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[StrangerGallery]:
    with cloned(server, EMPTY) as url:
        made = StrangerGallery("left alone", url)
        several = request.param
        made.run(
            SCHEMA.format(seed=0.3, rows=2 if several else 1, unique="" if several else "UNIQUE")
        )
        yield made


def document(shape: str) -> dict[str, Any]:
    more = SHAPES[shape]
    return {
        "artworks": {
            "table": "works",
            "id": "id",
            "created_at": "made",
            **more.get("artworks", {}),
        },
        "users": {"table": "people", "id": "id", **more.get("users", {})},
        "impressions": {
            "table": "looks",
            "user": "person",
            "artwork": "work",
            "viewed_at": "at",
            "counts": "seen",
            "several": True,
        },
        **({"pairs": more["pairs"]} if "pairs" in more else {}),
    }


@pytest.mark.parametrize("server", [EMBEDDED], indirect=True, ids=["embedded"])
@pytest.mark.parametrize("audience", ["tracked", "all"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_as_many_pairs_are_left_alone_as_each_row_says_by_itself(
    gallery: StrangerGallery, shape: str, audience: str
) -> None:
    pools = {"audience": audience}
    async with shape_runtime(gallery.url, catalog=document(shape), pools=pools) as runtime:
        names = runtime.healing.fragments
        async with asked(runtime) as (connection, cutoffs):
            expected, everybodys = [
                {
                    row.user_id: row.pairs
                    for row in await connection.exec_driver_sql(
                        compose(EACH_BY_ITSELF, {**names, "audience_or_all": asks}).as_string(None),
                        parameters(cutoffs),
                    )
                }
                for asks in (names["in_audience"], raw("TRUE"))
            ]
            assert expected
            found = await count_left_alone(connection, runtime.healing, cutoffs)
            assert found == sum(expected.values())
            for user in (1, 5, 6):
                of_user = await count_left_alone(connection, runtime.healing, cutoffs, str(user))
                assert of_user == everybodys.get(user, 0)
            # Of no legacy pair, none is left alone: nobody asks.
            unasked = await count_unwritable(connection, runtime.healing, cutoffs, legacy=0)
            assert unasked.left_alone == 0
