"""The checks on other apps' tables: faults that are planted there, counted by hand-written queries;
and what is said where a moment is an expression that doesn't work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.called import call, serve
from tests.support.commands import on_one_server
from tests.support.naive import STATES
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import (
    POOLS,
    StrangerGallery,
    documents,
    stranger_gallery,
)

CHECKS = (
    "census",
    "duplicate_impressions",
    "orphan_impressions",
    "timestamps",
    "recording_rate",
    "pool_exhaustion",
    "artwork_supply",
)
EXHAUSTED = """
SELECT count(*) FROM (
    SELECT u FROM ({pairs}) AS p GROUP BY u
    HAVING count(*) FILTER (WHERE NOT seen AND created > now() - interval '7 days') < 50
) AS one
"""
_LEDGER = """
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'conservator.backfilled_impression'::regclass AND attname = 'viewed_at'
"""
EPOCH_MS = "floor(extract(epoch FROM now()) * 1000)::bigint"


@dataclass(frozen=True)
class Case:
    """A gallery by one of its documents, faults in it, and queries by check that count them."""

    gallery: str
    document: int = 0
    planted: str = "SELECT"
    counted: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    """By check, words of the reason."""
    newest: str = ""
    only: str = "true"
    """Of which pairs of the oracle the document speaks."""
    by_pairs: bool = True
    """The oracle's users are those of the document."""

    def __str__(self) -> str:
        return f"{self.gallery}-{self.document + 1}"


NO_TIME = {"recording_rate": "does not say when an artwork was viewed"}
CASES = (
    Case(
        "epoch",
        planted=f"""
            INSERT INTO looks SELECT p.pid, 'nobody', p.made FROM pieces AS p LIMIT 7;
            INSERT INTO looks SELECT p.pid, 'nobody''s', 0 FROM pieces AS p LIMIT 3;
            UPDATE looks AS l SET looked = p.made - 301000 FROM pieces AS p
                WHERE p.pid = l.pid AND l.gid = (SELECT min(gid) FROM looks WHERE looked > 0);
            UPDATE looks SET looked = {EPOCH_MS} + 400000
                WHERE gid = (SELECT max(gid) FROM guests WHERE gone = 0) AND looked > 0;
        """,
        counted={
            "orphan_impressions": """
                SELECT count(*) FROM looks AS l
                WHERE looked > 0 AND NOT EXISTS (SELECT FROM guests AS g WHERE g.gid = l.gid)
            """,
            "timestamps": f"""
                SELECT count(*) FROM looks AS l LEFT JOIN wanted_pieces AS p ON p.pid = l.pid
                WHERE looked > 0 AND (looked > {EPOCH_MS} + 300000 OR looked < p.made - 300000)
            """,
        },
        skipped={"duplicate_impressions": "looks_pkey"},
        newest="SELECT to_timestamp(max(made) / 1000.0) FROM wanted_pieces",
    ),
    Case(
        "composite_keys",
        planted="UPDATE visits SET last_look = last_look - 40000 WHERE patron_no % 10 = 3",
        counted={
            "timestamps": """
                SELECT count(*) FROM visits AS v JOIN sheets AS s USING (venue_id, sheet_no)
                WHERE venue_id = 1 AND dropped_at IS NULL AND to_timestamp(last_look * 60.0)
                    + interval '1 minute' < made_at AT TIME ZONE 'UTC' - interval '5 minutes'
            """,
        },
        skipped={
            "duplicate_impressions": "visits_pkey",
            "orphan_impressions": "visits_venue_id_patron_no_fkey",
        },
        newest="SELECT max(made_at) AT TIME ZONE 'UTC' FROM sheets"
        " WHERE venue_id = 1 AND dropped_at IS NULL",
        only="u LIKE '1/%'",
    ),
    Case(
        "existence_only",
        planted="INSERT INTO artworks (id, title) VALUES ('f' || repeat('0', 31), 'of 2097')",
        counted={"timestamps": "SELECT 1"},
        skipped={
            **NO_TIME,
            "duplicate_impressions": "ticks_visitor_artwork",
            "orphan_impressions": "ticks_visitor_id_fkey",
        },
        newest="SELECT max(to_timestamp(('x' || substr(id, 1, 8))::bit(32)::bigint))"
        " FROM artworks WHERE on_show AND id < 'f'",
    ),
    Case(
        "deleted_on_purpose",
        1,
        planted="UPDATE viewings SET latest_at = latest_at - interval '2 days' WHERE id % 7 = 0",
        counted={
            "timestamps": """
                SELECT count(*) FROM viewings AS v JOIN artworks AS a ON a.id = v.artwork_id
                WHERE a.on_show AND latest_at < hung_at - interval '5 minutes'
            """
        },
        skipped={
            "duplicate_impressions": "viewings_visitor_artwork",
            "orphan_impressions": "viewings_visitor_id_fkey",
        },
        newest="SELECT max(hung_at) FROM artworks WHERE on_show",
        by_pairs=False,
    ),
    Case(
        "status_rows",
        1,
        planted="UPDATE dealings SET seen_at = seen_at - interval '2 days' WHERE work_no % 5 = 0",
        counted={
            "timestamps": """
                SELECT count(*) FROM dealings AS d JOIN works AS w ON w.nr = d.work_no
                WHERE NOT withdrawn AND NOT refused AND seen_at < hung_at - interval '5 minutes'
            """
        },
        skipped={
            "duplicate_impressions": "dealings_pkey",
            "orphan_impressions": "dealings_people_no_fkey",
        },
        newest="SELECT max(hung_at) FROM works WHERE NOT withdrawn AND NOT refused",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_faults_are_counted_as_by_hand(server: PostgresServer, case: Case, tmp_path: Path) -> None:
    with stranger_gallery(server, case.gallery) as gallery:
        gallery.run(case.planted)
        config = configure(tmp_path, gallery, documents(case.gallery)[case.document])
        done = call(config, "check", *CHECKS, "--json")
        found = {one["name"]: one for one in done.json["checks"]}
        for name, query in case.counted.items():
            [(expected,)] = gallery.rows(query)
            assert found[name]["value"] == expected, (name, found[name])
            assert found[name]["outcome"] == ("pass" if not expected else failing(name))
        for name, words in case.skipped.items():
            assert found[name]["outcome"] == "skipped"
            assert words in found[name]["message"]
        [(age,)] = gallery.rows(f"SELECT extract(epoch FROM now() - ({case.newest}))::float8")
        assert found["artwork_supply"]["value"] == pytest.approx(age, abs=60)
        if case.by_pairs:
            pairs = f"SELECT * FROM ({oracle(gallery)}) AS every WHERE {case.only}"
            [(exhausted,)] = gallery.rows(EXHAUSTED.format(pairs=pairs))
            assert found["pool_exhaustion"]["value"] == exhausted
        assert call(config, "init").code == 0
        assert gallery.rows(_LEDGER) == [("timestamp with time zone",)]
        told = {one["code"] for one in call(config, "doctor", "--json").json["findings"]}
        assert "growth" in told
        assert found["recording_rate"]["outcome"] in {"pass", "skipped"}
        outcomes = {one["outcome"] for one in found.values()}
        assert done.code == (1 if "fail" in outcomes else 2 if "warn" in outcomes else 0)


def failing(name: str) -> str:
    return "warn" if name == "timestamps" else "fail"


def oracle(gallery: StrangerGallery) -> str:
    return (Path(__file__).parents[1] / f"galleries/{gallery.name}.pairs.sql").read_text()


def configure(directory: Path, gallery: StrangerGallery, catalog: Mapping[str, Any]) -> Path:
    config = directory / "config.yaml"
    document = {
        "database": {"url": gallery.url},
        "catalog": catalog,
        "pools": POOLS,
        "healing": {"threshold": 10**6},
        "checks": {"pool_exhaustion": {"minimum": 50, "warn": 1, "fail": 1000}},
        "server": {"port": 0},
    }
    config.write_text(yaml.safe_dump(document))
    return config


@on_one_server
def test_without_a_time_of_viewing_skipped_checks_do_not_warn(
    server: PostgresServer, tmp_path: Path
) -> None:
    with stranger_gallery(server, "existence_only") as gallery:
        config = configure(tmp_path, gallery, documents("existence_only")[0])
        others = (one for one in CHECKS if one not in {"census", "pool_exhaustion"})
        done = call(config, "check", *others)
        assert done.code == 0, done.out
        [(user, artwork)] = gallery.rows(
            "SELECT visitor_id, artwork_id FROM ticks JOIN visitors AS v ON v.id = visitor_id"
            " JOIN artworks AS a ON a.id = artwork_id"
            " WHERE on_show AND NOT barred AND museum IS NULL LIMIT 1"
        )
        explained = call(config, "explain", "--user", user, "--artwork", artwork)
        assert "the last viewed unknown" in explained.words


REFUSED = {
    "to_timestamp(mde / 1000.0)": 'column "mde" does not exist',
    "case when": "syntax error",
    "max(to_timestamp(made / 1000.0))": "aggregate functions are not allowed",
    "generate_series(date '2026-01-01', '2026-01-02', '1 day')": "set-returning functions",
    "made": "expression is of type bigint",
    "title::timestamptz": "for a row of pieces: invalid input syntax",
}


@on_one_server
def test_an_expression_that_does_not_work_is_one_sentence_with_its_setting(
    server: PostgresServer, tmp_path: Path
) -> None:
    catalog = documents("epoch")[0]
    with stranger_gallery(server, "epoch") as gallery:
        for expression, reason in REFUSED.items():
            catalog["artworks"] |= {"table": "pieces", "created_at": {"sql": expression}}
            config = configure(tmp_path, gallery, catalog)
            checked = call(config, "check", "census", "--json")
            [census] = checked.json["checks"]
            assert (checked.code, census["outcome"]) == (3, "error")
            assert census["message"].startswith("catalog.artworks.created_at: ")
            assert reason in census["message"]
        # Of them all the last one alone is not refused before a row is read.
        assert call(config, "config", "check").code == 0
        examined = call(config, "doctor", "--json")
        [finding] = [one for one in examined.json["findings"] if one["blocks"] == "counting"]
        assert (examined.code, finding["code"]) == (1, "moment_refused")
        served = serve(config)
        assert served.code == 1
        assert f"catalog.artworks.created_at: {finding['problem']}" in served.refusal


@on_one_server
def test_what_doctor_proposes_can_be_pasted_and_counts_right(
    server: PostgresServer, tmp_path: Path
) -> None:
    catalog = documents("epoch")[0]
    catalog["artworks"]["created_at"], catalog["impressions"]["viewed_at"] = "made", "looked"
    del catalog["impressions"]["set"], catalog["impressions"]["defaults"]
    with stranger_gallery(server, "epoch") as gallery:
        examined = call(configure(tmp_path, gallery, catalog), "doctor")
        told = examined.out
        snippet = re.search(
            r"To paste into config\.yaml.*?:\n((?:catalog|  ).*?)\nCensus", told, re.S
        )
        assert snippet is not None, examined
        pasted = yaml.safe_load(snippet[1])["catalog"]
        assert "sql" in pasted["impressions"]["viewed_at"]
        config = configure(tmp_path, gallery, {**catalog, **pasted})
        census = call(config, "check", "census", "--json").json["census"]
        assert tuple(census[state] for state in STATES) == gallery.counts()
