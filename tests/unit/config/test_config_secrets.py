"""Secrets: accepted, kept, read from files; never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.config import InvalidConfigError, Settings, describe, parse_config
from monitor.config.server import TOKENS

PASSWORD = "hunter2-and-more"
TOKEN = "0123456789abcdef"


def load(text: str, base: Path | None = None, **environ: str) -> Settings:
    return parse_config(text, environ, source="config.yaml", base_dir=base)


def server(text: str, base: Path | None = None, **environ: str) -> Settings:
    return load(f"database: {{url: postgres://db/x}}\nserver: {{{text}}}", base, **environ)


def refused(text: str, base: Path | None = None, **environ: str) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        server(text, base, **environ)
    return str(caught.value)


def secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_is_rewritten_for_sqlalchemy(scheme: str) -> None:
    database = load(f"database: {{url: '{scheme}://u:p%40@h:5432/d?sslmode=require'}}").database
    assert database.sqlalchemy_url == "postgresql+psycopg://u:p%40@h:5432/d?sslmode=require"
    assert database.url.get_secret_value().startswith(f"{scheme}://")
    assert database.sqlalchemy_read_url is None


def test_the_replica_has_a_url_of_its_own() -> None:
    database = load("database: {url: postgres://a/d, read_url: postgres://b/d}").database
    assert database.sqlalchemy_read_url == "postgresql+psycopg://b/d"


def test_a_replica_from_an_empty_variable_is_none() -> None:
    assert load("database: {url: postgres://a/d, read_url: '${B:-}'}").database.read_url is None


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (f"mysql://u:{PASSWORD}@h/d", "found mysql://…; change the scheme"),
        (f"postgresql+asyncpg://u:{PASSWORD}@h/d", "found postgresql+asyncpg://…"),
        (f"host=h password={PASSWORD}", "found another value (not shown)"),
        (PASSWORD, "found another value (not shown)"),
        (f"postgres://u:{PASSWORD}@h:port/d", "correct the port"),
        (f"postgres://u:{PASSWORD}@h:99999/d", "correct the port"),
        ("", "found nothing"),
    ],
)
def test_any_other_url_is_refused_without_being_shown(url: str, found: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        load(f"database: {{url: '{url}'}}")
    assert str(caught.value).startswith("database.url: expected a ")
    assert found in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "database: 'postgres://u:{0}@h/d'",
        "database: ['postgres://u:{0}@h/d']",
        "databse: {{url: 'postgres://u:{0}@h/d'}}",
        "database: {{urll: 'postgres://u:{0}@h/d'}}",
        "database: {{url: ['postgres://u:{0}@h/d']}}",
        "'postgres://u:{0}@h/d': 1",
        "server: {{admin_token: [{0}]}}",
        "server: {{admin_tokn: {0}}}",
        "server: {0}",
        "server: {{admin_token_file: {0}}}",
        "server: {{admin_token: '${{{0}'}}",
        "server: {{port: 'password={0}'}}",
        "healing: {{pace: {{promql: {{url: 'ftp://u:{0}@h', query: q, max: 1}}}}}}",
        "server: {{admin_token: *{0}}}",
        "server: {{admin_token: !{0} x}}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        load(text.format(PASSWORD))
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in repr(caught.value.errors)


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_a_secret(name: str) -> None:
    settings = server(f"{name}: {TOKEN}")
    assert secret(getattr(settings.server, name)) == TOKEN
    assert TOKEN not in repr(settings)
    assert TOKEN not in str(settings.model_dump())


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"  {TOKEN}\n")
    settings = server(f"{name}_file: token", tmp_path)
    assert secret(getattr(settings.server, name)) == TOKEN
    assert getattr(settings.server, f"{name}_file") == tmp_path / "token"


def test_a_token_of_digits_from_a_variable_stays_text() -> None:
    settings = server("app_token: '${T}'", T="1234567890123456")
    assert secret(settings.server.app_token) == "1234567890123456"


@pytest.mark.parametrize("text", ["admin_token: ''", "admin_token: null", "admin_token: '${T:-}'"])
def test_an_empty_token_is_none(text: str) -> None:
    assert server(text, CONSERVATOR_ADMIN_TOKEN=TOKEN).server.admin_token is None


def test_the_admin_token_is_by_default_the_variable() -> None:
    settings = load("database: {url: postgres://db/x}", CONSERVATOR_ADMIN_TOKEN=TOKEN)
    assert secret(settings.server.admin_token) == TOKEN
    nothing_else = load("database: {url: postgres://db/x}\nserver:", CONSERVATOR_ADMIN_TOKEN=TOKEN)
    assert secret(nothing_else.server.admin_token) == TOKEN
    assert load("database: {url: postgres://db/x}").server.admin_token is None


def test_a_file_with_the_admin_token_comes_before_the_variable(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    settings = server("admin_token_file: token", tmp_path, CONSERVATOR_ADMIN_TOKEN="x" * 20)
    assert secret(settings.server.admin_token) == TOKEN


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("hunter2", "expected a token of at least 16 characters, found one of 7"),
        ("'hunter2 hunter2 hunter2'", "printable ASCII characters without spaces"),
        ("'hunter2-hünter2-hunter2'", "printable ASCII characters without spaces"),
        ("1234567890123456", "expected text, found another value (not shown)"),
    ],
)
def test_a_weak_token_is_refused_without_being_shown(token: str, says: str) -> None:
    message = refused(f"app_token: {token}")
    assert message.startswith("server.app_token: ")
    assert says in message
    assert token not in message


def test_a_token_and_its_file_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    message = refused(f"app_token: {TOKEN}, app_token_file: token", tmp_path)
    assert "server.app_token: expected app_token or app_token_file, found both" in message


@pytest.mark.parametrize("content", [b"short", b"", b"\xff\xfe" * 20])
def test_a_file_without_a_usable_token_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    assert refused("app_token_file: token", tmp_path).startswith("server.app_token_file: expected")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    message = refused("app_token_file: token", tmp_path)
    assert f"(No such file or directory), looked for from {tmp_path} on" in message


def test_two_equal_tokens_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    message = refused(f"admin_token: {TOKEN}, app_token_file: token", tmp_path)
    assert message.startswith("server.app_token: expected another token than admin_token")
    assert TOKEN not in message


def test_certificate_and_key_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("PEM")
    message = refused("tls: {cert: cert.pem, key: key.pem}", tmp_path)
    assert message.startswith("server.tls.key: expected a readable text file, found none")
    (tmp_path / "key.pem").write_text("PEM")
    tls = server("tls: {cert: cert.pem, key: key.pem}", tmp_path).server.tls
    assert tls is not None
    assert (tls.cert, tls.key) == (tmp_path / "cert.pem", tmp_path / "key.pem")


def test_the_description_masks_every_secret() -> None:
    settings = load(
        f"database: {{url: 'postgres://u:{PASSWORD}@h/d', read_url: 'postgres://u:{PASSWORD}@r/d'}}\n"
        f"server: {{admin_token: {TOKEN}}}\n"
        f"healing: {{pace: {{promql: {{url: 'http://u:{PASSWORD}@p', query: q, max: 1}}}}}}\n"
    )
    described = describe(settings)
    assert described["database"]["url"] == described["database"]["read_url"] == "***"
    assert described["server"]["admin_token"] == "***"
    assert described["server"]["app_token"] is None
    assert described["healing"]["pace"]["promql"]["url"] == "http://***@p"
    for text in (json.dumps(described), repr(settings)):
        assert PASSWORD not in text
        assert TOKEN not in text
