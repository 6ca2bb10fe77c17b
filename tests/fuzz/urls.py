"""Database URLs of every form that libpq's manual describes, and what the configuration says of
them: taken exactly where libpq can read them and the manual lists their values; those that lead to
a server here lead there.

The manual's words are written down here once more, from its sections 34.1.1.2 and 34.1.2:
https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from monitor.config.database_url import parse_database_url
from monitor.config.errors import InvalidValueError
from monitor.database import create_engine
from tests.support.proxy import SOCKET

_SWITCH = ("0", "1")
_TLS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_NUMBERS = ("0", "1", "10", "2147483647", "+3", " 7 ")
_ANYTHING = ("", "x", "a b", "ü", "100%", "a=b&c", "'", "\\")
DOCUMENTED: Mapping[str, Sequence[str]] = {
    "user": _ANYTHING[1:],
    "password": _ANYTHING,
    "dbname": _ANYTHING,
    "passfile": _ANYTHING,
    "application_name": _ANYTHING,
    "fallback_application_name": _ANYTHING,
    "options": ("", "-csearch_path=a", "-c geqo=off"),
    "client_encoding": ("auto", "UTF8"),
    "connect_timeout": (*_NUMBERS, "-1"),
    "keepalives": _SWITCH,
    "keepalives_idle": _NUMBERS,
    "keepalives_interval": _NUMBERS,
    "keepalives_count": _NUMBERS,
    "tcp_user_timeout": _NUMBERS,
    "replication": ("false", "off", "no", "0"),
    "sslmode": ("disable", "allow", "prefer", "require"),
    "sslnegotiation": ("postgres",),
    "sslcompression": _SWITCH,
    "sslcert": _ANYTHING,
    "sslkey": _ANYTHING,
    "sslpassword": _ANYTHING,
    "sslcertmode": ("disable", "allow"),
    "sslrootcert": _ANYTHING,
    "sslcrl": _ANYTHING,
    "sslcrldir": _ANYTHING,
    "sslsni": _SWITCH,
    "requirepeer": _ANYTHING,
    "require_auth": ("password", "!md5", "scram-sha-256,none", "none", "!password,!md5", ""),
    "channel_binding": ("disable", "prefer", "require"),
    "ssl_min_protocol_version": _TLS,
    "ssl_max_protocol_version": ("TLSv1.3",),
    "min_protocol_version": ("3.0",),
    "max_protocol_version": ("3.2", "latest"),
    "krbsrvname": _ANYTHING,
    "gssencmode": ("disable",),
    "gssdelegation": _SWITCH,
    "gsslib": ("gssapi",),
    "target_session_attrs": (
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "load_balance_hosts": ("disable", "random"),
    "port": ("1", "5432", "65535", ""),
    "host": ("h", "h1", "127.0.0.1", "::1", "/var/run", "/tmp", "@sock", ""),
    "hostaddr": ("127.0.0.1", "::1", ""),
}
"""Keywords and values that it lists. Left out: `service`, which needs a file; verifying modes,
which need certificates; and combinations that contradict each other."""
UNDOCUMENTED: Mapping[str, Sequence[str]] = {
    "schema": ("public",),
    "sslmod": ("require",),
    "ssl": ("1", "yes"),
    "connect_timeout": ("5s", "soon", "1.5", "99999999999", ""),
    "keepalives": ("yes", "2"),
    "keepalives_idle": ("-1", "x"),
    "keepalives_count": ("many",),
    "tcp_user_timeout": ("-1",),
    "replication": ("true", "database", "perhaps"),
    "sslmode": ("prefere", "REQUIRE", "1"),
    "sslnegotiation": ("quick",),
    "sslcertmode": ("maybe",),
    "sslsni": ("on",),
    "sslcompression": ("yes",),
    "channel_binding": ("on",),
    "gssencmode": ("on",),
    "gssdelegation": ("true",),
    "gsslib": ("mit",),
    "require_auth": ("kerberos", "md5,!password"),
    "ssl_min_protocol_version": ("SSLv3", "1.2"),
    "min_protocol_version": ("2.0",),
    "target_session_attrs": ("master", "primary,standby"),
    "load_balance_hosts": ("round-robin",),
    "port": ("0", "65536", "-1", "x", "1,2,3,4"),
    "host": ("h1:5432", "a b"),
    "hostaddr": ("localhost",),
}
"""Keywords and values that it does not."""
_FORMS = (
    *("", "localhost", "localhost:5433", "localhost/mydb", "user@localhost"),
    *("user:secret@localhost", "other@localhost/otherdb", "host1:123,host2:456/somedb"),
    *("/mydb", "[2001:db8::1234]/database", "%2Fvar%2Flib%2Fpostgresql/dbname", "[::1]:5433"),
    *("user@%2Fvar%2Frun:5433,h2/db", "h1,h2,h3/db", "h1:1,h2,h3:3/", "u:p%40%3A%2F@h/a%2Fb"),
)
"""Of what follows the scheme; the manual's own examples among them."""
_TORN = ("h/%", "h/%zz", "h/%00", "[::1/d", "[]/d", "[::1]x/d", "h:0/d", "h:x/d", "::1/d")
_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")
_AROUND = ("", "\n", "\r\n", " ")


@dataclass(frozen=True, slots=True)
class Asked:
    """A URL, and whether it is to be taken."""

    url: str
    good: bool


def urls(seed: int, number: int) -> Iterator[Asked]:
    """Every documented value and every other one alone, and `number` of several by chance."""
    chance = random.Random(seed)
    for rest in _FORMS:
        yield _asked(chance, rest, {}, good=True)
    for rest in _TORN:
        yield _asked(chance, rest, {}, good=False)
    for good, listed in ((True, DOCUMENTED), (False, UNDOCUMENTED)):
        for name, values in listed.items():
            for value in values:
                yield _asked(chance, "u@h/d", {name: value}, good=good)
    harmless = [name for name in DOCUMENTED if name not in {"host", "hostaddr", "port"}]
    for _ in range(number):
        names = chance.sample(harmless, chance.randint(0, 6))
        given = {name: chance.choice(DOCUMENTED[name]) for name in names}
        good = chance.random() < 0.5
        if not good:
            name = chance.choice(list(UNDOCUMENTED))
            given = {**given, name: chance.choice(UNDOCUMENTED[name])}
        yield _asked(chance, chance.choice(_FORMS[3:]), given, good=good)


def _asked(chance: random.Random, rest: str, given: Mapping[str, str], *, good: bool) -> Asked:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    path = rest if "/" in rest or not query else f"{rest}/"
    text = f"{chance.choice(_SCHEMES)}{path}{query and '?'}{query}{chance.choice(_AROUND)}"
    return Asked(text, good)


def wrong_urls(seed: int, number: int) -> tuple[int, list[str]]:
    """How many were tried, and what was taken or refused wrongly."""
    wrong, tried = [], 0
    for asked in urls(seed, number):
        tried += 1
        if asked.good and not _is_read(asked.url):
            wrong.append(f"libpq does not read {asked.url!r}")
        if is_taken(asked.url) is not asked.good:
            wrong.append(f"{'refused' if asked.good else 'taken'}: {asked.url!r}")
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    wrong += [f"libpq does not know {name}" for name in DOCUMENTED if name not in known]
    return tried, wrong


def is_taken(url: str) -> bool:
    """Whether the configuration takes it."""
    try:
        parse_database_url(url)
    except InvalidValueError:
        return False
    return True


def _is_read(url: str) -> bool:
    try:
        conninfo_to_dict("postgresql://" + url.strip().partition("://")[2])
    except ProgrammingError:
        return False
    return True


async def unreachable(folder: Path, database: str) -> tuple[int, list[str]]:
    """How many forms lead to the server whose socket is in `folder`, on 127.0.0.1 too; and which do
    not."""
    async with _on_tcp(folder / SOCKET) as port:
        forms = list(_leading_there(quote(str(folder), safe=""), port, database))
        return len(forms), await _not_reached(forms)


def _leading_there(here: str, port: int, database: str) -> Iterator[str]:
    own = f"/{database}"
    places = (
        f"127.0.0.1:{port}{own}",
        f"{here}:5432{own}",
        f"{here}{own}",
        f"127.0.0.1:1,127.0.0.1:{port}{own}",
        f"{here}:1,{here}:5432{own}",
        f"127.0.0.1:1,{here}:5432{own}",
        f"{own}?host=127.0.0.1&port={port}",
        f"{own}?host={here}&port=5432",
        f"{own}?hostaddr=127.0.0.1&port={port}",
        f"127.0.0.1,{here}{own}?port={port},5432",
        f"?dbname={database}&host={here}",
        f"named:{port}{own}?hostaddr=127.0.0.1",
    )
    options = (
        *("target_session_attrs=primary", "sslmode=prefer", "load_balance_hosts=random"),
        *("connect_timeout=3", "options=-csearch_path%3Dart", "application_name=a%20b"),
    )
    for scheme in _SCHEMES:
        for place in places:
            for option in options:
                separator = "&" if "?" in place else "?"
                yield f"{scheme}{place}{separator}user=postgres&{option}\n"


@asynccontextmanager
async def _on_tcp(socket: Path) -> AsyncIterator[int]:
    """The server of a socket on a port of 127.0.0.1."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_unix_connection(socket)
        with suppress(asyncio.CancelledError, OSError):
            await asyncio.gather(carry(reader, requests), carry(answers, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


async def _not_reached(forms: Sequence[str]) -> list[str]:
    missed = []
    for form in forms:
        try:
            engine = create_engine(parse_database_url(form).get_secret_value(), pool_size=1)
            async with engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
            await engine.dispose()
        except Exception as error:  # whatever it is, it did not lead there
            missed.append(f"{form!r}: {str(error).splitlines()[0]}")
    return missed
