"""Database URLs, read as libpq reads them: its own parser tells what stands there, and its own
start of a connection, which leads nowhere, whether it takes the values. Nobody is asked anything.

Where libpq only notices while it connects, or takes anything, values are held against its manual
(https://www.postgresql.org/docs/current/libpq-connect.html).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from monitor.config.errors import HIDDEN, InvalidValueError, suggestion

DRIVER = "postgresql+psycopg://"
"""The scheme by which SQLAlchemy finds psycopg 3; all the rest goes to psycopg as parameters."""
_SCHEMES = ("postgres://", "postgresql://", DRIVER)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)
_OPTION = re.compile(r'"([a-z_]{1,40})"')
_LONGEST_SHOWN = 40

_FORM = "a URL such as postgresql://user:password@host:5432/database"
_ENCODE = "percent-encode special characters of user and password: % as %25, @ as %40, / as %2F"
_BRACKETS = "put an IPv6 address in brackets: [::1]"
_NAMED = "write options as ?name=value&name=value"

_NOWHERE = "/dev/null"
"""In place of every host: a socket that can't be."""
_SECRET = re.compile(r"pass|secret|scram")
_HIGHEST_PORT = 65_535
_LONGEST_SOCKET = 107
"""Bytes of a socket's path, on every system that has them."""
_ON_OFF = ("0", "1")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "keepalives": _ON_OFF,
    "sslcompression": _ON_OFF,
    "sslsni": _ON_OFF,
    "gssdelegation": _ON_OFF,
    "gsslib": ("gssapi",),
    "replication": ("false", "off", "no", "0"),
}
"""Values that libpq does not look at. With replication on, nothing of ours could be asked."""
_WHOLE = ("connect_timeout", *("keepalives_idle", "keepalives_interval", "keepalives_count"))
_WHOLE_NUMBERS = (*_WHOLE, "tcp_user_timeout")
_LARGEST = 2**31 - 1
_VERIFYING = ("verify-ca", "verify-full")
_TAKEN: Mapping[str, tuple[str, ...]] = {
    "sslmode": ("disable", "allow", "prefer", "require", *_VERIFYING),
    "sslnegotiation": ("postgres", "direct (with sslmode=require or more)"),
    "sslcertmode": ("disable", "allow", "require"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "target_session_attrs": (
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "require_auth": (*("password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"),),
    "ssl_min_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "min_protocol_version": ("3.0", "3.2", "latest"),
    "max_protocol_version": ("3.0", "3.2", "latest"),
}
"""What libpq takes where it looks: for the sentence that says so."""


def parse_database_url(value: object) -> SecretStr:
    """A PostgreSQL URL that libpq reads, and whose options can work.

    Raises InvalidValueError, which names scheme and option but shows no secret.
    """
    text = secret_text(value).strip()
    if not text.startswith(_SCHEMES):
        scheme = _SCHEME.match(text)
        found = f"{scheme.group()}…" if scheme else HIDDEN
        raise InvalidValueError(
            "a URL that begins with postgres://, postgresql:// or postgresql+psycopg://",
            found if text else "nothing",
            "change the scheme" if scheme else "write it as postgresql://user@host/database",
        )
    parameters = _parsed(text)
    for name, given in parameters.items():
        _check_value(name, given)
    _check_places(parameters)
    _check_by_libpq(parameters)
    _check_root_certificate(parameters)
    return SecretStr(text)


def sqlalchemy_url(text: str) -> str:
    """The same URL with the scheme by which SQLAlchemy finds psycopg 3."""
    return DRIVER + text.partition("://")[2]


def connect_parameters(url: str) -> dict[str, str]:
    """What `url`, of any of the schemes, says, by libpq's names, for psycopg.connect().

    Raises InvalidValueError where libpq can't read it.
    """
    return _parsed(url.strip())


def secret_text(value: object) -> str:
    """The text of a secret: whatever it is instead, its value stays unseen."""
    if not isinstance(value, str):
        found = "nothing" if value is None else HIDDEN
        raise InvalidValueError("text", found, "put it in quotes, or take it from a variable")
    return str(value)


def _parsed(text: str) -> dict[str, str]:
    from psycopg import ProgrammingError  # noqa: PLC0415 - keeps the import of us light
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        read = conninfo_to_dict("postgresql://" + text.partition("://")[2])
    except (ProgrammingError, ValueError) as error:
        raise _unreadable(text, str(error)) from None
    return {name: str(value) for name, value in read.items()}


def _unreadable(text: str, reason: str) -> InvalidValueError:
    """Why libpq can't read a URL. Its own words quote what may be a password."""
    if "percent-encoded" in reason or "%00" in reason or _is_torn(text):
        return InvalidValueError(_FORM, HIDDEN, _ENCODE)
    if "separator" in reason:
        return InvalidValueError(_FORM, HIDDEN, _NAMED)
    option = _OPTION.search(reason)
    if "query parameter" in reason and option is not None:
        known = suggestion(option[1], _known_options())
        remedy = "take it out" if known is None else f"take it out, or write {known}"
        if option[1] == "schema":
            remedy = "take it out; tables are named with their schema in `catalog`"
        # What is no option may be a part of a password, which a ? or & in it has cut off.
        before, _, after = text.partition("?")[2].partition(f"{option[1]}=")
        is_shown = known is not None or ("password=" not in before and "@" not in after)
        shown = f"?{option[1]}=" if is_shown else HIDDEN
        return InvalidValueError("options that libpq knows", shown, remedy)
    if "IPv6" in reason or "]" in reason:
        return InvalidValueError(_FORM, HIDDEN, _BRACKETS)
    if "query parameter" in reason:
        return InvalidValueError(_FORM, HIDDEN, _NAMED)
    return InvalidValueError(_FORM, HIDDEN, "correct what follows the scheme")


def _known_options() -> list[str]:
    from psycopg.pq import Conninfo  # noqa: PLC0415

    return [option.keyword.decode() for option in Conninfo.get_defaults()]


def _is_torn(text: str) -> bool:
    """Whether the URL looks as if a character of its password had ended a part of it too soon: an
    @ stands where it separates nothing."""
    rest = text.partition("://")[2]
    head = rest.partition("?")[0]
    place = head.partition("/")[0]
    if head.count("@") > 1 or ("@" in head and "@" not in place):
        return True
    return "@" in rest and "@" not in place and re.search(r":(?![0-9]*(?:,|$))", place) is not None


def _check_value(name: str, value: str) -> None:
    """Raises InvalidValueError for a value that libpq would not look at, or only too late."""
    choices = _CHOICES.get(name)
    if choices is not None and value not in choices:
        raise _refused(name, value, f"one of {', '.join(choices)}")
    if name not in _WHOLE_NUMBERS:
        return
    least = -_LARGEST if name == "connect_timeout" else 0
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,10}\s*", value) or not least <= int(value) <= _LARGEST:
        unit = "milliseconds" if name == "tcp_user_timeout" else "seconds"
        unit = "" if name == "keepalives_count" else f" of {unit}"
        raise _refused(name, value, f"a whole number{unit}")


def _refused(name: str, value: str, expected: str) -> InvalidValueError:
    secret = _SECRET.search(name) or len(value) > _LONGEST_SHOWN or not value.isprintable()
    shown = "another value" if secret or "@" in value else value or "nothing"
    return InvalidValueError(f"{name}: {expected}", shown, f"correct {name} in the URL")


def _check_places(parameters: Mapping[str, str]) -> None:
    """Hosts, addresses and ports, of which there may be several."""
    hosts, ports = _listed(parameters, "host"), _listed(parameters, "port")
    for port in ports:
        if port.strip() and not (
            re.fullmatch(r"\s*\+?[0-9]{1,9}\s*", port) and 0 < int(port) <= _HIGHEST_PORT
        ):
            raise _wrong_port(parameters, port)
    for host in hosts:
        _check_host(host, ports[0] if ports else "5432")
    for address in _listed(parameters, "hostaddr"):
        if address and not _is_address(address):
            raise _refused("hostaddr", address, "numeric addresses")
    addresses = _listed(parameters, "hostaddr")
    places = max(len(hosts), len(addresses), 1)
    if hosts and addresses and len(hosts) != len(addresses):
        counts = f"{len(hosts)} and {len(addresses)}"
        raise InvalidValueError("as many hosts as hostaddrs", counts, "name as many of each")
    if len(ports) > 1 and len(ports) != places:
        found = f"{len(ports)} for {places}"
        raise InvalidValueError("a port for each host, or one for all", found, "correct port")


def _listed(parameters: Mapping[str, str], name: str) -> list[str]:
    value = parameters.get(name, "")
    return value.split(",") if value else []


def _wrong_port(parameters: Mapping[str, str], port: str) -> InvalidValueError:
    if "@" in parameters.get("dbname", ""):
        return InvalidValueError(_FORM, HIDDEN, _ENCODE)
    if ":" in port:
        return InvalidValueError(_FORM, HIDDEN, _BRACKETS)
    expected = f"a port from 1 to {_HIGHEST_PORT:,}"
    # What else stands there may be a password whose host is missing.
    is_shown = "user" in parameters and re.fullmatch(r"-?[0-9]{1,9}", port)
    shown = port if is_shown else HIDDEN
    return InvalidValueError(expected, shown, "correct the port in the URL")


def _check_host(host: str, port: str) -> None:
    if host.startswith(("/", "@")):
        if len(f"{host}/.s.PGSQL.{port}".encode()) > _LONGEST_SOCKET:
            expected = f"a socket's path of at most {_LONGEST_SOCKET} bytes"
            raise InvalidValueError(expected, "a longer one", "choose a shorter folder for it")
        return
    if "@" in host:
        raise InvalidValueError(_FORM, HIDDEN, _ENCODE)
    if not _is_address(host) and re.search(r"[\s/:?#\[\]]", host):
        remedy = "write several hosts as host1:5432,host2:5432"
        raise InvalidValueError("names or addresses of hosts", HIDDEN, remedy)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _check_by_libpq(parameters: Mapping[str, str]) -> None:
    """Let libpq begin a connection with these options that leads nowhere.

    Raises InvalidValueError where it refuses before it has come so far: a value that it does not
    know, two that contradict each other, a service that nobody has defined, a user without a name.
    """
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415
    from psycopg.pq import PGconn  # noqa: PLC0415

    places = max(len(_listed(parameters, name)) for name in ("host", "hostaddr"))
    # An address, which a service may have as well, would be asked.
    tried = {**parameters, "host": ",".join([_NOWHERE] * max(1, places)), "hostaddr": ""}
    tried["port"] = parameters.get("port") or "5432"
    # No socket has it, and there is nobody whom it could be asked of; the variable goes as well.
    if parameters.get("gssencmode", "require") in {"prefer", "require"}:
        tried["gssencmode"] = "disable"
    begun = PGconn.connect_start(make_conninfo(**tried).encode())
    said = begun.error_message.decode(errors="replace").strip()
    begun.finish()
    if _NOWHERE not in said:
        raise _refused_by_libpq(parameters, said.partition("\n")[0])


def _refused_by_libpq(parameters: Mapping[str, str], said: str) -> InvalidValueError:
    if "local user" in said:
        return InvalidValueError(
            "a user",
            "none, and the system has no name for the user id of this process",
            "write postgresql://user@host/database",
        )
    if "service" in parameters and "service" in said:
        return InvalidValueError(
            "a service that a service file defines",
            said,
            "correct service in the URL, or name its file by PGSERVICEFILE",
        )
    named = [name for name in _known_options() if _names(name, said)]
    for name in sorted(named, key=lambda one: (one not in parameters, -len(one))):
        if name not in parameters:
            variable = f"correct the environment variable PG{name.upper().replace('_', '')}"
            return InvalidValueError(f"{name} as libpq takes it", HIDDEN, variable)
        expected = ", ".join(_TAKEN.get(name, ()))
        expected = f"one of {expected}" if expected else "what libpq takes"
        return _refused(name, parameters[name], expected)
    return InvalidValueError("options that libpq takes", HIDDEN, f"it says: {_shown(said)}")


def _names(name: str, said: str) -> bool:
    return re.search(rf"\b{name.replace('_', '[_ ]')}\b", said, re.IGNORECASE) is not None


def _shown(said: str) -> str:
    return said if len(said) <= 2 * _LONGEST_SHOWN and '"' not in said else "that they can't work"


def _check_root_certificate(parameters: Mapping[str, str]) -> None:
    """Raises InvalidValueError where the server's certificate is to be verified by none."""
    if parameters.get("sslmode") not in _VERIFYING or "service" in parameters:
        return
    hosts = _listed(parameters, "host") + _listed(parameters, "hostaddr")
    if all(host.startswith(("/", "@")) for host in hosts):
        return  # without TLS
    named = parameters.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    if named == "system" or (path := _root_certificate(named)).is_file():
        return
    raise InvalidValueError(
        "sslrootcert: the file of the certificates that are trusted",
        f"none at {path}",
        "correct sslrootcert in the URL; sslrootcert=system trusts what the system trusts",
    )


def _root_certificate(named: str | None) -> Path:
    if named:
        return Path(named)
    with suppress(RuntimeError):  # an account without a home
        return Path.home() / ".postgresql" / "root.crt"
    return Path("~/.postgresql/root.crt")
