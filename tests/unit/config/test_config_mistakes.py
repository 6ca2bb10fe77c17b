"""Every kind of mistake: its path, what was expected and found, and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import InvalidConfigError, Settings, parse_config

URL = "database: {url: postgresql://app@db/gallery}\n"
EXPECTS = "checks: {expectations: [{name: x, table: t, expectations: [%s]}]}"
SUITE = "{name: s, table: t, expectations: [{type: expect_x}]}"


def load(text: str, **environ: str) -> Settings:
    return parse_config(URL + text, environ, source="config.yaml", base_dir=None)


def mistakes(text: str, **environ: str) -> dict[str, str]:
    with pytest.raises(InvalidConfigError) as caught:
        load(text, **environ)
    return {mistake.path: mistake.message for mistake in caught.value.errors}


def test_an_empty_file_lacks_the_database_url() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config("", {}, source="config.yaml", base_dir=None)
    assert str(caught.value) == (
        "database.url: expected a PostgreSQL URL, found nothing; "
        "set database.url, for example to ${DATABASE_URL}"
    )
    assert caught.value.exit_code == 78


SHAPES = [
    ("server: {port: many}", "server.port", "expected a whole number"),
    ('server: {port: "9855"}', "server.port", "write it without quotes"),
    ("server: {port: 98.5}", "server.port", "expected a whole number"),
    ("server: {port: 70000}", "server.port", "expected no more than 65535, found 70000"),
    ("server: {port: -1}", "server.port", "expected 0 or more"),
    ("server: {port: true}", "server.port", "expected a whole number, found true"),
    ("server: {port: null}", "server.port", "found nothing; leave the key out"),
    ("healing: {threshold: 0}", "healing.threshold", "expected 1 or more, found 0"),
    ("healing: {mode: repair}", "healing.mode", "expected observe or heal"),
    ("healing: {mode: hael}", "healing.mode", "did you mean heal?"),
    ("healing: {mode: on}", "healing.mode", "found true; write one of these"),
    ("healing: 5", "healing", "expected a group of keys, found 5"),
    ("healing: text", "healing", "found text; indent its keys below it"),
    ("checks: {sql: {name: x}}", "checks.sql", "expected a list, found a group of keys"),
    ("checks: {census: {enabled: 1}}", "checks.census.enabled", "expected true or false"),
    ("checks: {census: {every: 5}}", "checks.census.every", "write a number and a unit"),
    ("checks: {census: {every: 1ms}}", "checks.census.every", "expected at least 100ms"),
    ("checks: {census: {budget: 0}}", "checks.census.budget", "expected a number above 0, found 0"),
    ("checks: {census: {budget: true}}", "checks.census.budget", "expected a share"),
    ("checks: {census: {cron: 5}}", "checks.census.cron", "put it in quotes"),
    ("checks: {census: {cron: a b}}", "checks.census.cron", "expected a cron expression"),
    ("checks: {recording_rate: {warn: .inf}}", "checks.recording_rate.warn", "finite"),
    ("checks: {recording_rate: {warn: 0}}", "checks.recording_rate.warn", "a number above 0"),
    ("checks: {recording_rate: {warn: x}}", "checks.recording_rate.warn", "expected a number"),
    ("checks: {sql: [{name: x}]}", "checks.sql[0].query", "found nothing; add query"),
    ("checks: {sql: [null]}", "checks.sql[0].name", "found nothing; add name"),
    ("checks: {sql: [{name: X, query: q}]}", "checks.sql[0].name", "lower-case letters"),
    ("checks: {sql: [{name: x, query: q, warn: 5}]}", "checks.sql[0].warn", "in quotes"),
    ('checks: {sql: [{name: x, query: ""}]}', "checks.sql[0].query", "expected text"),
    (
        EXPECTS % "",
        "checks.expectations[0].expectations",
        "expected a list of at least 1, found an empty one",
    ),
    (
        EXPECTS % "{type: not_null}",
        "checks.expectations[0].expectations[0].type",
        "expected an expectation such as",
    ),
    (
        EXPECTS % "{type: expect_x, kwargs: 5}",
        "checks.expectations[0].expectations[0].kwargs",
        "expected a group of keys, found 5",
    ),
    ("healing: {window: 1-2}", "healing.window", "expected a window of the day"),
    ("healing: {window: 90}", "healing.window", "expected a window of the day"),
    ("healing: {breaker: {max_share: 0%}}", "healing.breaker.max_share", "above 0"),
    ("healing: {breaker: {max_share: 50}}", "healing.breaker.max_share", "write 50%"),
    ("healing: {pace: {max_batch: 1e4}}", "healing.pace.max_batch", "a whole number"),
    (
        "healing: {pace: {max_replica_lag_bytes: 0}}",
        "healing.pace.max_replica_lag_bytes",
        "expected 1 or more, found 0",
    ),
    (
        "healing: {pace: {max_replica_lag_bytes: 1.5}}",
        "healing.pace.max_replica_lag_bytes",
        "a size such as 64MiB",
    ),
    (
        "healing: {pace: {promql: {url: 'ftp://x', query: q, max: 1}}}",
        "healing.pace.promql.url",
        "expected an http:// or https:// URL",
    ),
    (
        "healing: {pace: {promql: {url: 'http://x:y', query: q, max: 1}}}",
        "healing.pace.promql.url",
        "expected an http:// or https:// URL",
    ),
    ("healing: {pace: {promql: {}}}", "healing.pace.promql.max", "found nothing; add max"),
    ("catalog: {timezone: Mars}", "catalog.timezone", "expected a time zone"),
    ("catalog: {users: {id: 5}}", "catalog.users.id", "put it in quotes"),
    ("catalog: {users: {id: [a]}}", "catalog.users.id", "expected text, found a list"),
    ('catalog: {users: {id: "a\\0"}}', "catalog.users.id", "a NUL character"),
    ("catalog: {impressions: {defaults: [a]}}", "catalog.impressions.defaults", "a group of keys"),
    (
        "catalog: {impressions: {defaults: {a: null}}}",
        "catalog.impressions.defaults.a",
        "expected text, found nothing",
    ),
    ("pools: {audience: everybody}", "pools.audience", "expected tracked or all"),
    ("pools: {legacy_created_before: soon}", "pools.legacy_created_before", "a date or a time"),
    ("lease: 0s", "lease", "expected at least 100ms"),
    ("history: [90d]", "history", "expected a duration such as 250ms"),
]

KEYS = [
    ("heeling: {}", "heeling", "did you mean healing?"),
    ("healing: {pace: {Duty: 1}}", "healing.pace.Duty", "did you mean duty?"),
    ("healing: {duty: 50%}", "healing.duty", "did you mean healing.pace.duty?"),
    ("pools: {zzz: 1}", "pools.zzz", "remove it, or write one of fresh_for, legacy_after"),
    ("checks: {sql: [{name: x, qery: q}]}", "checks.sql[0].qery", "did you mean query?"),
    ('pools: {"a b": 1}', 'pools."a b"', "remove it"),
]

CONTRADICTIONS = [
    ("pools: {fresh_for: 7d}", "pools.fresh_for", "less than legacy_after (7d), found 7d"),
    (
        "checks: {structure: {every: 1h, cron: 0 3 * * 1}}",
        "checks.structure.every",
        'expected every or cron, found every: 1h and cron: "0 3 * * mon"',
    ),
    ("checks: {structure: {every: null}}", "checks.structure.every", "found neither"),
    ("checks: {recording_rate: {warn: 9}}", "checks.recording_rate.warn", "fail (8), found 9"),
    (
        "checks: {pool_exhaustion: {fail: 1, warn: 2}}",
        "checks.pool_exhaustion.warn",
        "or raise fail",
    ),
    ("checks: {artwork_supply: {warn: 8d}}", "checks.artwork_supply.warn", "fail (7d), found 8d"),
    (
        "checks: {sql: [{name: census, query: q}]}",
        "checks.sql[0].name",
        "found census, the name of checks.census",
    ),
    (
        "checks: {sql: [{name: s, query: q}, {name: s, query: q}]}",
        "checks.sql[1].name",
        "found s, the name of checks.sql[0].name",
    ),
    (
        f"checks: {{sql: [{{name: s, query: q}}], expectations: [{SUITE}]}}",
        "checks.expectations[0].name",
        "the name of checks.sql[0].name",
    ),
    ("lease: 200ms", "healing.pace.batch_target", "expected less than lease (200ms)"),
    ("healing: {pace: {writers: 5}}", "healing.pace.writers", "found 5 of 5"),
    ("healing: {pace: {writers: 0}}", "healing.pace.writers", "found 0"),
    (
        "catalog: {impressions: {artwork: user_id}}",
        "catalog.impressions.artwork",
        'found "user_id", which is user already',
    ),
    (
        "catalog: {impressions: {defaults: {viewed_at: now()}}}",
        "catalog.impressions.defaults.viewed_at",
        "which the service fills itself",
    ),
    (
        "catalog: {users: {table: conservator.users}}",
        "database.state_schema",
        "which holds conservator.users",
    ),
]


@pytest.mark.parametrize(("text", "path", "says"), SHAPES + KEYS + CONTRADICTIONS)
def test_a_mistake_is_told_with_its_path(text: str, path: str, says: str) -> None:
    told = mistakes(text)
    assert path in told
    assert says in told[path]


@pytest.mark.parametrize(("text", "path", "says"), SHAPES + KEYS + CONTRADICTIONS)
def test_every_message_is_one_sentence_of_expected_found_and_remedy(
    text: str, path: str, says: str
) -> None:
    for message in mistakes(text).values():
        assert message.startswith("expected ")
        assert ", found " in message
        assert "; " in message
        assert "\n" not in message


@pytest.mark.parametrize("schema", ["public", "pg_catalog", "information_schema"])
def test_a_schema_that_others_use_can_not_hold_the_state(schema: str) -> None:
    text = f"database: {{url: postgres://db/x, state_schema: {schema}}}"
    with pytest.raises(InvalidConfigError, match="uninstall drops the schema"):
        parse_config(text, {}, source="config.yaml", base_dir=None)


def test_the_mistakes_of_both_passes_come_out_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        load(
            "pools: {fresh_for: 8d, audience: some}\n"
            "checks:\n"
            "  structure: {every: null}\n"
            "  sql:\n"
            "    - {name: broken, every: 1x}\n"
            "    - {name: census, query: SELECT 1}\n"
            "healing: {duty: 50%, pace: {wait_while: '${NONE}'}}\n"
            "server: {port: 70000, port: 1}\n"
        )
    assert [mistake.path for mistake in caught.value.errors] == [
        "pools.audience",
        "pools.fresh_for",
        "checks.structure.every",
        "checks.sql[0].every",
        "checks.sql[0].query",
        "checks.sql[1].name",
        "healing.pace.wait_while",
        "healing.duty",
        "server.port",
        "server.port",
    ]
    lines = str(caught.value).splitlines()
    assert len(lines) == 10
    assert lines[0] == (
        'pools.audience: expected tracked or all, found "some"; write one of these (line 2)'
    )


def test_a_wrong_url_does_not_hide_other_mistakes() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(
            "database: {url: '${NONE}', pool_size: 0}\npools: {fresh_for: 8d}",
            {},
            source="config.yaml",
            base_dir=None,
        )
    paths = {mistake.path for mistake in caught.value.errors}
    assert paths == {"database.url", "database.pool_size", "pools.fresh_for"}


def test_what_is_broken_causes_no_further_mistakes() -> None:
    assert set(mistakes("pools: {fresh_for: 5x, legacy_after: 10m}")) == {"pools.fresh_for"}
    assert set(mistakes("checks: {census: {every: 5x, cron: '* * * * *'}}")) == {
        "checks.census.every"
    }


def test_the_contradictions_of_all_sections_come_out_at_once() -> None:
    told = mistakes(
        "catalog: {impressions: {artwork: user_id, viewed_at: user_id, defaults: {user_id: 1}}}\n"
        "pools: {fresh_for: 8d}\n"
        "checks: {recording_rate: {warn: 3, fail: 2}, structure: {every: null}}\n"
        "healing: {pace: {batch_target: 1m}}\n"
        "server: {host: 0.0.0.0}\n"
    )
    assert set(told) == {
        "catalog.impressions.artwork",
        "catalog.impressions.viewed_at",
        "catalog.impressions.defaults.user_id",
        "pools.fresh_for",
        "checks.recording_rate.warn",
        "checks.structure.every",
        "healing.pace.batch_target",
        "server.host",
    }


def test_a_mistake_hides_no_contradiction_of_its_section_with_another() -> None:
    told = mistakes("lease: 200ms\nhealing: {mode: hael, pace: {duty: 5}}\n")
    assert set(told) == {"healing.mode", "healing.pace.duty", "healing.pace.batch_target"}


def test_a_list_of_broken_items_is_not_too_short_as_well() -> None:
    for item in ("5", "{type: bad}", "'${NONE}'"):
        (path,) = mistakes(EXPECTS % item)
        assert path.startswith("checks.expectations[0].expectations[0]")


def test_a_default_in_place_of_what_is_broken_contradicts_nothing() -> None:
    assert set(mistakes("pools: {fresh_for: 8d, legacy_after: 5x}")) == {"pools.legacy_after"}
    assert set(mistakes("lease: 100ms\nhealing: {pace: 5}")) == {"healing.pace"}
    assert set(mistakes("server: {host: 0.0.0.0, admin_token_file: no/such/file}")) == {
        "server.admin_token_file"
    }


def test_a_variable_that_is_not_set_is_a_mistake_with_its_path() -> None:
    assert mistakes("server: {host: '${HOST}'}") == {
        "server.host": "expected a value in the environment variable HOST, found nothing; "
        "set it, or write a fallback: ${HOST:-…}"
    }


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("${A}")
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["checks", "sql", "name", "census", "every", "pace", "url", "x"]),
            inner,
            max_size=4,
        )
    ),
)


@given(
    st.dictionaries(
        st.sampled_from(["database", "catalog", "pools", "checks", "healing", "server", "lease"]),
        trees,
    )
)
def test_any_document_is_either_sound_or_told_its_mistakes(tree: dict[str, object]) -> None:
    import json

    try:
        parse_config(json.dumps(tree), {"A": "5"}, source="config.yaml", base_dir=None)
    except InvalidConfigError as error:
        assert error.errors


@given(st.text(max_size=60))
def test_any_text_is_either_sound_or_told_its_mistakes(text: str) -> None:
    try:
        parse_config(text, {}, source="config.yaml", base_dir=None)
    except InvalidConfigError as error:
        assert error.errors
