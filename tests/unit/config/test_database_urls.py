"""Database URLs, as libpq reads them: what can work is taken, what can't is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import InvalidConfigError, parse_config
from monitor.config.database_url import connect_parameters, parse_database_url
from monitor.config.errors import InvalidValueError, redact

PASSWORD = "hunter2-and-more"


def refused(url: str) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config("database: {url: '${URL}'}", {"URL": url}, source="config.yaml", base_dir=None)
    said = str(caught.value)
    assert PASSWORD not in said
    assert "\n" not in said
    assert said.startswith("database.url: expected ")
    return said


@pytest.mark.parametrize(
    ("url", "means"),
    [
        (
            "postgresql://u:p@h1:1,h2:2/db?target_session_attrs=primary",
            {"host": "h1,h2", "port": "1,2", "target_session_attrs": "primary"},
        ),
        ("postgresql://u@%2Fvar%2Frun/db", {"host": "/var/run"}),
        ("postgresql:///db?host=/var/run&port=5433", {"host": "/var/run", "port": "5433"}),
        ("postgres://u@[2001:db8::1]:6432/db", {"host": "2001:db8::1", "port": "6432"}),
        ("postgresql+psycopg://u@[::1],h2/db", {"host": "::1,h2"}),
        ("postgresql://u@h/db\n", {"host": "h", "dbname": "db"}),
        ("  postgresql://u@h/db\r\n", {"host": "h", "dbname": "db"}),
        ("postgresql://h/?user=u@corp&dbname=a%20b", {"user": "u@corp", "dbname": "a b"}),
        ("postgresql://u@h/db?options=-csearch_path%3Dart", {"options": "-csearch_path=art"}),
        ("postgresql://u@h/db?ssl=true", {"sslmode": "require"}),
        ("postgresql://u:p%40%2F%23@h/db", {"password": "p@/#"}),
        ("postgresql://u:a+b@h/db", {"password": "a+b"}),
        ("postgresql://u:a?b@h/db", {"password": "a?b", "host": "h"}),
        ("postgresql://u@h/db?require_auth=!password,!md5", {"require_auth": "!password,!md5"}),
        ("postgresql://u@h/db?passfile=/run/pass", {"passfile": "/run/pass"}),
        ("postgresql://u@h/db?sslmode=verify-full&sslrootcert=system", {"sslrootcert": "system"}),
    ],
)
def test_what_libpq_reads_is_taken_and_means_what_libpq_says(
    url: str, means: dict[str, str]
) -> None:
    text = parse_database_url(url).get_secret_value()
    assert not text[-1].isspace()
    assert connect_parameters(text).items() >= means.items()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("schema=public", "expected options that libpq knows, found ?schema=; take it out"),
        ("sslmod=require", "found ?sslmod=; take it out, or write sslmode"),
        ("charset=utf8", "found ?charset="),
        ("sslmode=prefere", "expected sslmode: one of disable, allow"),
        ("sslmode=prefere", "found prefere; correct sslmode in the URL"),
        ("target_session_attrs=master", "target_session_attrs: one of any, read-write"),
        ("channel_binding=yes", "channel_binding: one of"),
        ("gssencmode=on", "gssencmode: one of"),
        ("load_balance_hosts=round-robin", "load_balance_hosts: one of"),
        ("sslnegotiation=direct&sslmode=prefer", "sslnegotiation"),
        ("sslnegotiation=quick", "sslnegotiation: one of"),
        ("require_auth=kerberos", "require_auth: one of"),
        ("require_auth=md5,!password", "require_auth"),
        ("ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version: one of"),
        ("sslcertmode=perhaps", "sslcertmode: one of"),
        ("connect_timeout=5s", "connect_timeout: a whole number of seconds, found 5s"),
        ("keepalives_idle=-1", "keepalives_idle: a whole number of seconds"),
        ("tcp_user_timeout=1.5", "tcp_user_timeout: a whole number of milliseconds"),
        ("keepalives=yes", "keepalives: one of 0, 1, found yes"),
        ("replication=database", "replication: one of false"),
        ("port=0", "a port from 1 to 65,535, found 0"),
        ("port=1,2,3", "a port for each host, or one for all, found 3 for 1"),
        ("hostaddr=localhost", "hostaddr: numeric addresses, found localhost"),
        ("hostaddr=127.0.0.1,127.0.0.2", "as many hosts as hostaddrs, found 1 and 2"),
        ("service=nobody-defined-it", "a service that a service file defines"),
        ("sslmode=verify-full&sslrootcert=/no/such.crt", "sslrootcert: the file"),
        ("sslmode", "write options as ?name=value"),
        ("sslmode=a=b", "write options as ?name=value"),
        (f"sslmode=prefere&sslpassword={PASSWORD}", "sslmode"),
        (f"scram_client_key={PASSWORD}", "scram_client_key"),
        (f"password={PASSWORD}&port=x", "a port from 1"),
    ],
)
def test_what_can_not_work_is_refused_by_the_options_name(options: str, said: str) -> None:
    assert said in refused(f"postgresql://u:{PASSWORD}@h/db?{options}")


@pytest.mark.parametrize(
    "rest",
    [
        f"u:{PASSWORD}%zz@h/db",
        f"u:{PASSWORD}@x@h/db",
        f"u:{PASSWORD}/x@h/db",
        f"u:{PASSWORD}/x?y@h/db",
        f"u:{PASSWORD}%@h/db",
        f"u:{PASSWORD}%00@h/db",
    ],
)
def test_percent_encoding_is_the_remedy_where_it_is_the_mistake(rest: str) -> None:
    assert "percent-encode special characters of user and password" in refused(
        f"postgresql://{rest}"
    )


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (f"u:{PASSWORD}@h:port/db", "a port from 1 to 65,535"),
        (f"u:{PASSWORD}@h:99999/db", "a port from 1 to 65,535, found 99999"),
        (f"u:{PASSWORD}@::1/db", "[::1]"),
        ("h/db?user=u@corp&schema=public", "found ?schema="),
        (f"u:{PASSWORD}@h/db?application_name=a@b&charset=x", "found ?charset="),
        (f"u:{PASSWORD}@[::1/db", "[::1]"),
        (f"u:{PASSWORD}@/db?host=h1:5432&host=h2:5432", "host1:5432,host2:5432"),
        (f"u:{PASSWORD}@%2F{'x' * 110}/db", "a socket's path of at most 107 bytes"),
    ],
)
def test_any_other_mistake_has_a_remedy_of_its_own(rest: str, said: str) -> None:
    message = refused(f"postgresql://{rest}")
    assert said in message
    assert "percent-encode" not in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:p@ss?hunterpart=7@db.example/app",
        "postgresql://h/app?password=abc&hunterpart=7",
        "postgresql://app:hunterpart/app",
        "postgresql://app:987654321/app",
    ],
)
def test_what_may_be_a_part_of_a_password_is_not_shown(url: str) -> None:
    message = refused(url)
    assert "hunterpart" not in message
    assert "987654321" not in message


@pytest.mark.parametrize("options", ["?gssencmode=require", "?gssencmode=prefer", ""])
def test_gss_is_for_the_servers_to_have(options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not options:
        monkeypatch.setenv("PGGSSENCMODE", "require")
    parse_database_url(f"postgresql://u@db.example/app{options}")


def test_a_service_of_a_service_file_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text("[art]\nhost=192.0.2.1,192.0.2.2\nhostaddr=192.0.2.1,192.0.2.2\nport=1,2\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    assert parse_database_url("postgresql://u@/db?service=art")
    with pytest.raises(InvalidValueError, match="expected a service"):
        parse_database_url("postgresql://u@/db?service=music")


def test_a_wrong_variable_of_libpq_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "prefere")
    assert "correct the environment variable PGSSLMODE" in refused("postgresql://u@h/db")


def test_the_replicas_url_is_read_alike() -> None:
    text = "database: {url: postgres://u@h/d, read_url: 'postgres://u@r/d?sslmode=prefere'}"
    with pytest.raises(InvalidConfigError, match=r"^database.read_url: expected sslmode: one of"):
        parse_config(text, {}, source="config.yaml", base_dir=None)


@pytest.mark.parametrize("name", ["password", "sslpassword", "oauth_client_secret"])
def test_no_secret_of_an_option_is_shown(name: str) -> None:
    assert PASSWORD not in redact(f"wrong: postgresql://h/d?sslmode=x&{name}={PASSWORD}&port=1")
    assert "port=1" in redact(f"postgresql://h/d?{name}={PASSWORD}&port=1")


def test_nothing_is_asked_while_a_url_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("socket.getaddrinfo", fails)
    assert parse_database_url("postgresql://u@no-such-host.invalid,192.0.2.1/db?hostaddr=,")
