"""`discover`: a URL in, catalogs with their evidence out, and a configuration that works."""

from __future__ import annotations

from pathlib import Path

import yaml
from sqlalchemy import make_url

from tests.support.commands import PASSWORD, Workplace, gallery_at, on_one_server
from tests.support.discovering import SHOP, run

pytestmark = on_one_server
STATES = ("tracked", "fresh", "storage", "legacy_untracked")


async def test_from_a_url_to_the_first_number(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    right = work.run("check", "census", "--json").json["census"]
    url = make_url(app_database_url).set(password=PASSWORD).render_as_string(hide_password=False)
    (tmp_path / "config.yaml").unlink()
    told = work.run("discover", "--url", url, "--write", "new.yaml")
    assert told.code == 0, told.err
    assert told.out.index("Nothing is written.") < told.out.index("1. users, art_sessions")
    assert "legacy_untracked" in told.out

    written = (tmp_path / "new.yaml").read_text()
    assert PASSWORD not in written
    config = yaml.safe_load(written)
    assert config["healing"] == {"mode": "observe"}
    assert config["database"] == {"url": "${DATABASE_URL}"}
    assert config["catalog"]["impressions"]["table"] == "user_art_impressions"
    (tmp_path / "new.yaml").write_text(written.replace("${DATABASE_URL}", url))
    counted = work.run("-c", "new.yaml", "check", "census", "--json").json["census"]
    assert [counted[one] for one in STATES] == [right[one] for one in STATES]
    assert work.run("-c", "new.yaml", "doctor").code == 0

    again = work.run("discover", "--url", url, "--write", "new.yaml")
    assert again.code == 64
    assert "never writes over a file" in again.sentence
    assert "art_sessions" not in again.out

    as_json = work.run("-c", "new.yaml", "discover", "--json").json
    first = as_json["catalogs"][0]
    assert first["catalog"] == config["catalog"]
    assert [first["census"][one] for one in STATES] == [right[one] for one in STATES]
    assert "user_art_impressions" in as_json["sampled"]
    assert first["evidence"]["artworks.created_at"]


async def test_no_sampled_value_is_shown(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows("UPDATE users SET subscription_tier = 'secret-' || left(id, 3)")
    told = work.run("discover", "--url", work.conninfo)
    ids = work.rows("SELECT id FROM users UNION ALL SELECT id FROM art_sessions")
    assert "secret-" not in told.out
    assert not [one for (one,) in ids if one in told.out]


def test_a_shop_is_told_what_was_looked_for(database_url: str, tmp_path: Path) -> None:
    run(database_url, SHOP)
    work = Workplace(tmp_path, database_url)
    told = work.run("discover", "--url", database_url, "--write", "new.yaml")
    assert told.code == 1
    assert "No table fits. Looked for" in told.words
    assert "Nearest: customers, products," in told.words
    assert not (tmp_path / "new.yaml").exists()


def test_what_a_role_may_not_read_is_said(database_url: str, tmp_path: Path) -> None:
    """Of thousands of tables, within a minute."""
    run(database_url, *MANY)
    url = make_url(database_url).set(username="discover_reader")
    told = Workplace(tmp_path, database_url).run(
        "discover", "--url", url.render_as_string(hide_password=False), "--json"
    )
    found = told.json
    assert found["seconds"] < 60
    assert found["tables"] >= 5_000
    assert found["unseen"] == ["hidden_views"]
    first = found["catalogs"][0]
    names = (first["users"], first["artworks"], first["impressions"])
    assert names == ("app_7.visitors", "app_7.pictures", "app_7.picture_views")
    assert first["census"]["tracked"] == 60


MANY = (
    """
DO $$ BEGIN
    IF to_regrole('discover_reader') IS NULL THEN CREATE ROLE discover_reader LOGIN; END IF;
    FOR s IN 1..10 LOOP
        EXECUTE format('CREATE SCHEMA app_%s', s);
        EXECUTE format('GRANT USAGE ON SCHEMA app_%s TO discover_reader', s);
    END LOOP;
    FOR t IN 1..5000 LOOP
        EXECUTE format(
            'CREATE TABLE app_%s.part_%s (id int, account_id int, item_id int, note text)',
            1 + t % 10, t
        );
        EXECUTE format('GRANT SELECT ON app_%s.part_%s TO discover_reader', 1 + t % 10, t);
        IF t % 250 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$
""",
    """
CREATE TABLE app_7.visitors (id int PRIMARY KEY, name text);
CREATE TABLE app_7.pictures (id int PRIMARY KEY, hung_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE app_7.picture_views (
    visitor_id int NOT NULL REFERENCES app_7.visitors,
    picture_id int NOT NULL REFERENCES app_7.pictures,
    viewed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (visitor_id, picture_id)
);
CREATE TABLE hidden_views (visitor_id int, picture_id int, viewed_at timestamptz);
GRANT SELECT ON app_7.visitors, app_7.pictures, app_7.picture_views TO discover_reader;
INSERT INTO app_7.visitors SELECT g, 'visitor' FROM generate_series(1, 10) AS g;
INSERT INTO app_7.pictures SELECT g FROM generate_series(1, 10) AS g;
INSERT INTO app_7.picture_views
    SELECT v, p FROM generate_series(1, 10) AS v, generate_series(1, 6) AS p;
""",
)
