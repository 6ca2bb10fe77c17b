"""A configuration that was read again: what changes at once, what waits, what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.config import InvalidConfigError, Settings, change, parse_config
from monitor.config.rules import TOKENS

URL = "postgresql://app@db/gallery"
TOKEN = "a-token-that-is-long-enough"
OTHER = "another-token-of-enough-length"


def settings(more: str = "") -> Settings:
    text = f"database: {{url: '{URL}'}}\n{more}"
    return parse_config(text, {}, source="config.yaml", base_dir=None)


def test_the_same_again_changes_nothing() -> None:
    before = settings(f"server: {{admin_token: {TOKEN}}}")
    again = change(before, settings(f"server: {{admin_token: {TOKEN}}}"))
    assert again.settings == before
    assert again.applied == again.restart_needed == ()


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_changes_at_once_and_its_value_is_named_nowhere(name: str) -> None:
    changed = change(
        settings(f"server: {{{name}: {TOKEN}}}"), settings(f"server: {{{name}: {OTHER}}}")
    )
    assert getattr(changed.settings.server, name).get_secret_value() == OTHER
    assert (changed.applied, changed.restart_needed) == ((f"server.{name}",), ())
    assert OTHER not in repr(changed)
    assert TOKEN not in repr(changed)


def test_how_healing_goes_about_it_changes_at_once() -> None:
    after = settings(
        "healing: {cooldown: 5m, window: '01:00-05:00', max_rows_per_run: 7,"
        " breaker: {max_share: 10%}, pace: {duty: 20%, wait_while: SELECT false}}"
    )
    changed = change(settings(), after)
    assert changed.settings.healing == after.healing
    assert changed.settings.healing.cooldown == timedelta(minutes=5)
    assert changed.restart_needed == ()
    assert set(changed.applied) == {
        "healing.cooldown",
        "healing.window",
        "healing.max_rows_per_run",
        "healing.breaker.max_share",
        "healing.pace.duty",
        "healing.pace.wait_while",
    }


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("healing: {mode: heal}", ("healing.mode",)),
        ("healing: {threshold: 5, consecutive: 2}", ("healing.consecutive", "healing.threshold")),
        ("checks: {census: {every: 5m}}", ("checks.census.every",)),
        ("pools: {legacy_after: 8d}", ("pools.legacy_after",)),
        ("catalog: {users: {table: people}}", ("catalog.users.table",)),
        ("server: {port: 1}", ("server.port",)),
        ("history: 1d", ("history",)),
    ],
)
def test_everything_else_waits_for_a_restart_and_is_named_each_time(
    text: str, paths: tuple[str, ...]
) -> None:
    before = settings()
    changed = change(before, settings(text))
    assert changed.settings == before
    assert changed.restart_needed == paths
    assert change(changed.settings, settings(text)).restart_needed == paths


def test_a_new_value_that_contradicts_one_that_waits_is_refused() -> None:
    before = settings("lease: 2s")
    after = settings("lease: 30s\nhealing: {pace: {batch_target: 10s}}")
    with pytest.raises(InvalidConfigError, match="without a restart contradicts it"):
        change(before, after)


def test_an_open_port_does_not_lose_its_tokens_although_the_new_file_closes_it() -> None:
    before = settings(f"server: {{host: 0.0.0.0, admin_token: {TOKEN}}}")
    with pytest.raises(InvalidConfigError, match="admin_token or read_token"):
        change(before, settings("server: {host: 127.0.0.1}"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gallery.example"])
def test_a_port_that_others_reach_needs_a_token_or_a_word(host: str) -> None:
    open_port = f"server: {{host: '{host}', %s}}"
    with pytest.raises(InvalidConfigError, match="allow_open: true"):
        settings(open_port % "port: 1")
    for enough in (f"admin_token: {TOKEN}", f"read_token: {TOKEN}", "allow_open: true"):
        assert settings(open_port % enough).server.host == host


@pytest.mark.parametrize("token", ["app_token", "alert_token"])
def test_a_lesser_token_does_not_close_a_port(token: str) -> None:
    with pytest.raises(InvalidConfigError, match="neither"):
        settings(f"server: {{host: 0.0.0.0, {token}: {TOKEN}}}")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_a_port_that_only_this_machine_reaches_needs_none(host: str) -> None:
    assert settings(f"server: {{host: '{host}'}}").server.host == host
