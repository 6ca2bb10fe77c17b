"""From a file to Settings: types, defaults, variables, and what other parts get of them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from checks.errors import ConfigurationError
from checks.judgement import Comparison
from checks.spec import Audience, CatalogueSpec, PoolsSpec
from monitor.config import (
    InvalidConfigError,
    Mode,
    Settings,
    Severity,
    load_config,
    parse_config,
)

URL = "database: {url: postgresql://app@db/gallery}\n"


def load(text: str = "", **environ: str) -> Settings:
    return parse_config(URL + text, environ, source="config.yaml", base_dir=None)


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("\N{ZERO WIDTH NO-BREAK SPACE}database: {url: '${DATABASE_URL}'}\n")
    settings = load_config(path, {"DATABASE_URL": "postgres://db/x"})
    assert settings.database.sqlalchemy_url == "postgresql+psycopg://db/x"


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(tmp_path / "none.yaml", {})
    assert str(caught.value) == (
        f"{tmp_path}/none.yaml: expected a configuration file, found none; "
        "write one, or name another with -c; `conservator` alone says how to begin"
    )


def test_a_folder_or_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="found Is a directory"):
        load_config(tmp_path, {})
    (tmp_path / "config.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(InvalidConfigError, match="save the file as UTF-8"):
        load_config(tmp_path / "config.yaml", {})


def test_groups_and_lists_whose_lines_are_all_comments_take_their_defaults() -> None:
    empty = "catalog: {impressions: {defaults: }}\npools:\nchecks: {census: , sql: }\nserver:\n"
    assert load(empty) == load()


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.lease = timedelta(0)


def test_a_variable_takes_the_type_that_its_key_wants() -> None:
    settings = load(
        "server: {port: '${PORT:-9855}'}\n"
        "healing: {mode: '${MODE}', window: '${NONE:-}', pace: {duty: '${DUTY}'}}\n"
        "catalog: {artworks: {owner: '${NONE:-}', table: '${TABLE}'}}\n"
        "checks: {census: {enabled: '${ON}', every: '${EVERY}'}, recording_rate: {warn: '${N}'}}\n",
        MODE="heal",
        DUTY="25%",
        TABLE="2024",
        ON="no",
        EVERY="90s",
        N="3",
    )
    assert settings.server.port == 9855
    assert settings.healing.mode is Mode.HEAL
    assert settings.healing.window is None
    assert settings.healing.pace.duty == 0.25
    assert settings.catalog.artworks.owner is None
    assert settings.catalog.artworks.table == "2024"
    assert settings.checks.census.enabled is False
    assert settings.checks.census.every == timedelta(seconds=90)
    assert settings.checks.recording_rate.warn == 3.0


def test_a_share_may_be_a_number_and_a_size_may_be_bytes() -> None:
    settings = load("healing: {pace: {duty: 0.25, max_replica_lag_bytes: 1024}}")
    assert settings.healing.pace.duty == 0.25
    assert settings.healing.pace.max_replica_lag_bytes == 1024


def test_cron_takes_the_place_of_every() -> None:
    census = load("checks: {census: {cron: 15 3 * * 1-2}}").checks.census
    assert (census.every, census.cron) == (None, "15 3 * * mon,tue")
    explicit = load("checks: {census: {cron: 15 3 * * *, every: null}}").checks.census
    assert (explicit.every, explicit.cron) == (None, "15 3 * * *")


def test_an_sql_check_has_a_query_and_conditions() -> None:
    (check,) = load(
        'checks: {sql: [{name: x, query: SELECT 1, warn: "> 0", fail: ">= 5%", every: 1m}]}'
    ).checks.sql
    assert (check.name, check.query, check.every) == ("x", "SELECT 1", timedelta(minutes=1))
    assert check.warn is not None
    assert check.warn.holds(1)
    assert check.fail is not None
    assert (check.fail.comparison, check.fail.limit) == (Comparison.AT_LEAST, 0.05)


def test_a_suite_of_expectations_keeps_arguments_of_any_type() -> None:
    (suite,) = load(
        "checks:\n  expectations:\n    - name: prompts\n      table: art_sessions\n"
        "      expectations:\n        - type: expect_column_values_to_be_in_set\n"
        "          kwargs: {column: a, value_set: [1, '${N}', null], mostly: 0.9}\n"
        "          severity: warning\n",
        N="2",
    ).checks.expectations
    (expectation,) = suite.expectations
    assert expectation.kwargs == {"column": "a", "value_set": [1, 2, None], "mostly": 0.9}
    assert expectation.severity is Severity.WARNING


def test_the_defaults_are_those_of_the_specification() -> None:
    settings = load()
    assert settings.catalog_spec() == CatalogueSpec()
    assert settings.pools_spec() == PoolsSpec()


def test_tables_and_pools_are_handed_on_in_the_words_of_checks() -> None:
    settings = load(
        "catalog:\n  artworks: {table: public.art, owner: userId, where: deleted IS NULL}\n"
        "  users: {created_at: joined}\n  impressions: {defaults: {id: gen_random_uuid(), v: 1}}\n"
        "  timezone: Europe/Paris\n"
        "pools: {fresh_for: 1h, legacy_after: 2d, audience: all}\n"
    )
    catalogue = settings.catalog_spec()
    assert catalogue.artworks.table == "public.art"
    assert catalogue.artworks.owner == "userId"
    assert catalogue.artworks.where == "deleted IS NULL"
    assert catalogue.users.created_at == "joined"
    assert catalogue.impressions.defaults == {"id": "gen_random_uuid()", "v": "1"}
    assert catalogue.timezone == "Europe/Paris"
    with pytest.raises(TypeError):
        catalogue.impressions.defaults["id"] = "x"  # type: ignore[index]
    assert settings.pools_spec() == PoolsSpec(
        timedelta(hours=1), timedelta(days=2), None, Audience.ALL
    )


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-07-01", datetime(2025, 6, 30, 22, tzinfo=UTC)),
        ("2025-07-01 00:00:00", datetime(2025, 6, 30, 22, tzinfo=UTC)),
        ("'2025-07-01T00:00'", datetime(2025, 6, 30, 22, tzinfo=UTC)),
        ("2025-07-01T00:00:00Z", datetime(2025, 7, 1, tzinfo=UTC)),
        ("'2025-07-01T00:00:00-02:00'", datetime(2025, 7, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_moment_without_time_zone_is_one_in_the_catalogue_s(
    written: str, moment: datetime
) -> None:
    settings = load(
        f"catalog: {{timezone: Europe/Paris}}\npools: {{legacy_created_before: {written}}}"
    )
    before = settings.pools.legacy_created_before
    assert before is not None
    assert before.tzinfo is not None
    assert before == settings.pools_spec().legacy_created_before == moment


def test_importing_the_configuration_is_light() -> None:
    code = (
        "import sys, monitor.config;"
        "heavy = {'apscheduler', 'sqlalchemy', 'great_expectations', 'psycopg'};"
        "print(*heavy & sys.modules.keys())"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
