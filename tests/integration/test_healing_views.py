"""Through a view with names of its own, as the role that `init --print-sql` makes: exactly what is
missing is written to the table beneath it, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import yaml

from tests.support.called import call

_TABLES = """
CREATE TABLE users (id int PRIMARY KEY);
CREATE TABLE art_sessions (id int PRIMARY KEY, created_at timestamptz NOT NULL);
CREATE TABLE looks (
    id bigserial PRIMARY KEY, gone int, "the Art" int NOT NULL REFERENCES art_sessions,
    person int NOT NULL REFERENCES users, at timestamp NOT NULL DEFAULT now(),
    note text NOT NULL DEFAULT 'n', UNIQUE ("the Art", person));
ALTER TABLE looks DROP COLUMN gone;
CREATE VIEW below AS SELECT person AS p, note, "the Art" AS "an ""odd"" Art", at FROM looks;
CREATE VIEW seen AS SELECT at AS "When", "an ""odd"" Art" AS piece, p FROM below;
INSERT INTO users SELECT generate_series(1, 6);
INSERT INTO art_sessions SELECT n, now() - n * interval '1 day' FROM generate_series(1, 40) AS n;
INSERT INTO looks ("the Art", person)
    SELECT a, u FROM generate_series(1, 40) AS a, generate_series(1, 5) AS u WHERE (a + u) % 3 > 0;
DO $$ BEGIN
    IF to_regrole('conservator_healer') IS NULL THEN CREATE ROLE conservator_healer; END IF;
    IF to_regrole('keeper_of_views') IS NULL THEN
        CREATE ROLE keeper_of_views LOGIN IN ROLE conservator_healer;
    END IF;
END $$;
"""
_MISSING = """
SELECT count(*) FROM art_sessions AS a CROSS JOIN generate_series(1, 5) AS u (id)
WHERE a.created_at <= now() - interval '7 days'
  AND NOT EXISTS (SELECT FROM looks AS l WHERE l."the Art" = a.id AND l.person = u.id)
"""
_ROWS = 'SELECT "the Art", person, at, note FROM looks ORDER BY 1, 2'


def test_a_view_is_healed_and_undone_through(database_url: str, tmp_path: Path) -> None:
    dsn = database_url.replace("+psycopg", "")
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(_TABLES.encode())
        printed = call(_config(tmp_path / "owner.yaml", database_url), "init", "--print-sql")
        assert printed.code == 0, printed
        owner.execute(printed.out.encode())
        url = database_url.replace("postgres@", "keeper_of_views@", 1)
        config = _config(tmp_path / "config.yaml", url)
        before = owner.execute(_ROWS.encode()).fetchall()
        missing = _one(owner, _MISSING)
        assert missing > 0
        assert call(config, "doctor").code == 0
        done = call(config, "heal", "--yes", "--json")
        assert done.code == 0, done
        assert _one(owner, _MISSING) == 0
        assert _one(owner, "SELECT count(*) FROM looks") == len(before) + missing
        undone = call(config, "undo", str(done.json["run_id"]), "--yes")
        assert undone.code == 0, undone
        assert owner.execute(_ROWS.encode()).fetchall() == before


def test_what_a_view_does_not_show_is_not_written_and_what_it_hides_is_not_gone(
    database_url: str, tmp_path: Path
) -> None:
    filtering = (
        "CREATE TABLE hung (id int PRIMARY KEY); INSERT INTO hung SELECT generate_series(1, 38);"
        ' CREATE VIEW shown AS SELECT * FROM looks WHERE "the Art" IN (SELECT id FROM hung);'
    )
    impressions = {"table": "shown", "user": "person", "artwork": "the Art", "viewed_at": "at"}
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute((_TABLES + filtering).encode())
        before = owner.execute(_ROWS.encode()).fetchall()
        everything = _config(tmp_path / "config.yaml", database_url, impressions=impressions)
        assert call(everything, "init").code == 0
        refused = call(everything, "heal", "--yes")
        assert refused.code == 1
        assert "are no impressions" in refused.out + refused.err
        assert owner.execute(_ROWS.encode()).fetchall() == before
        assert _one(owner, "SELECT count(*) FROM conservator.backfilled_impression") == 0
        artworks = {"where": "id IN (SELECT id FROM hung)"}
        config = _config(
            tmp_path / "hung.yaml", database_url, impressions=impressions, artworks=artworks
        )
        done = call(config, "heal", "--yes", "--json")
        assert done.code == 0, done
        listed = _one(owner, "SELECT count(*) FROM conservator.backfilled_impression")
        assert listed > 0
        owner.execute("DELETE FROM hung WHERE id > 20")
        undone = call(config, "undo", str(done.json["run_id"]), "--yes")
        assert undone.code in (0, 1), undone
        owner.execute("INSERT INTO hung SELECT generate_series(21, 38)")
        again = call(config, "undo", str(done.json["run_id"]), "--yes")
        assert again.code == 0, again
        assert owner.execute(_ROWS.encode()).fetchall() == before


def _config(path: Path, url: str, **catalog: dict[str, str]) -> Path:
    impressions = {"table": "seen", "user": "p", "artwork": "piece", "viewed_at": "When"}
    document = {
        "database": {"url": url},
        "catalog": {"impressions": impressions, **catalog},
        "healing": {"pace": {"duty": "100%"}},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def _one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])
