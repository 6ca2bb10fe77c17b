"""The installed command as a person runs it: a configuration file, a database, a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from monitor.demo.gallery import build_gallery
from tests.support.forks import Forked, fork, plain_environment
from tests.support.http import Client
from tests.support.servers import EMBEDDED
from tests.support.waiting import PATIENCE, wait_until_sync

COMMAND = Path(sys.executable).parent / "conservator"
PASSWORD = "brushstroke-and-varnish"
"""In every URL that the command gets, so that every test sees whether it is told to anyone."""
ADMIN_TOKEN = "admin-token-of-the-acceptance-tests"
STATE = "conservator"

on_one_server = pytest.mark.parametrize("server", [EMBEDDED], indirect=True, ids=["embedded"])
"""For tests whose subject is the program above the database: a command, a page, a service at work,
what it waits for, logs or publishes. Tests of SQL run on every server: statements, catalogue,
locks, plans, errors."""

Config = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """A command that has ended. No command ever shows a traceback or the password."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        for text in (self.out, self.err):
            assert "Traceback" not in text
            assert PASSWORD not in text

    @property
    def words(self) -> str:
        """Standard output without line breaks and columns."""
        return " ".join(self.out.split())

    @cached_property
    def json(self) -> Any:
        """Standard output, which is JSON and nothing else."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line on standard error by which a command says why not."""
        [line] = self.err.splitlines()
        assert line.startswith("conservator: ")
        return line.removeprefix("conservator: ")


@dataclass(frozen=True)
class Workplace:
    """A directory with a config.yaml for one database, and the commands run there."""

    directory: Path
    url: str

    @property
    def conninfo(self) -> str:
        """The database, for psycopg and libpq."""
        return self.url.replace("+psycopg", "", 1)

    def configure(self, **sections: Any) -> Workplace:
        """Write config.yaml: fast settings, and `sections` over them. Returns itself."""
        config = _merged(_fast(self._secret_url), sections)
        (self.directory / "config.yaml").write_text(json.dumps(config))
        return self

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """Run `conservator ARGUMENTS` to its end."""
        with tempfile.TemporaryDirectory() as folder:
            asked, out, err = (Path(folder, name) for name in ("in", "out", "err"))
            asked.write_text(stdin)
            process = fork(self.directory, arguments, (asked, out, err), plain_environment())
            try:
                code = process.wait(120)
            finally:
                process.kill()
            return Done(code, out.read_text(), err.read_text())

    def run_each(self, *commands: str) -> list[Done]:
        """Run several commands that don't disturb each other, two at a time; words by blanks."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            return [*pool.map(lambda command: self.run(*command.split()), commands)]

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Running]:
        """`conservator ARGUMENTS` in the background, killed at the end if it still runs."""
        streams = Streams.new(self.directory)
        files = (Path(os.devnull), streams.out, streams.err)
        process = fork(self.directory, arguments, files, plain_environment())
        with watched(Running(process, streams)) as begun:
            yield begun

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, which is committed."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, **values: object) -> Any:
        """The only value of a statement."""
        [[value]] = self.rows(statement, **values)
        return value

    def contents(self) -> dict[str, str]:
        """A digest of every table that is not the system's."""
        tables = self.rows(
            "SELECT c.oid::regclass::text FROM pg_class AS c"
            " WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_)'"
        )
        digest = "SELECT coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '') FROM {} AS t"
        return {table: self.value(digest.format(table)) for (table,) in tables}

    def next_transaction(self) -> int:
        """The number of the next transaction that writes; unchanged: nobody has written a byte."""
        return int(self.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"))

    def impressions(self) -> int:
        """Rows of the impressions table."""
        return int(self.value("SELECT count(*) FROM user_art_impressions"))

    def affected_user(self) -> str:
        """A user of the audience with legacy pairs."""
        return str(self.value(_AFFECTED_USER))

    @property
    def _secret_url(self) -> str:
        return self.url.replace("postgres@", f"postgres:{PASSWORD}@", 1)


_AFFECTED_USER = """
SELECT u.id FROM users AS u CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE i.id IS NULL AND a.created_at < now() AT TIME ZONE 'UTC' - interval '8 days'
  AND EXISTS (SELECT FROM user_art_impressions AS any_one WHERE any_one.user_id = u.id)
GROUP BY u.id ORDER BY count(*) DESC, u.id LIMIT 1
"""


@dataclass(frozen=True)
class Streams:
    """The files that a command's output goes to, so that it never waits for us."""

    out: Path
    err: Path

    @staticmethod
    def new(directory: Path) -> Streams:
        """Files of its own in the directory, empty."""
        number = len(list(directory.glob("*.err")))
        made = Streams(directory / f"{number}.out", directory / f"{number}.err")
        made.out.touch()
        made.err.touch()
        return made


class Running:
    """A command in the background."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, streams: Streams) -> None:
        self.process = process
        self._out, self._err = streams.out, streams.err

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self._out.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines so far with this event name, each a JSON object."""
        lines = self._err.read_text().splitlines()
        logged = [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "}"]
        return [event for event in logged if event["event"] == name]

    def client(self, token: str | None = ADMIN_TOKEN) -> Client:
        """A client of its HTTP side, once it listens."""
        self.until(lambda: bool(self.events("listening")))
        return Client(self.events("listening")[0]["address"], token)

    def until(self, condition: Callable[[], bool], deadline_seconds: float = PATIENCE) -> None:
        """Wait for a condition; fail with what was said when the process ends before it holds."""

        def held() -> bool:
            if condition():
                return True
            ended = self.process.poll() is not None
            assert not ended or condition(), f"{self.out}\n{self._err.read_text()}"
            return ended

        wait_until_sync(held, deadline_seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 10.0) -> Done:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.ended(within)

    def ended(self, within: float) -> Done:
        """What it said, once it has ended by itself; fails with that when it takes longer."""
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{error}\n{self.out}\n{self._err.read_text()}") from error
        return Done(code, self.out, self._err.read_text())


@contextmanager
def running(directory: Path, *arguments: str, **extra: str) -> Iterator[Running]:
    """`conservator ARGUMENTS` in the background, by its entry point and with an interpreter of its
    own; `extra` goes to its environment."""
    streams = Streams.new(directory)
    with streams.out.open("wb") as out, streams.err.open("wb") as err:
        process = subprocess.Popen(
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=directory,
            env={**plain_environment(), **extra},
        )
    with watched(Running(process, streams)) as begun:
        yield begun


@contextmanager
def program(directory: Path, *command: str | Path) -> Iterator[Running]:
    """A program that waits for what it is told on standard input."""
    streams = Streams.new(directory)
    with streams.out.open("wb") as out, streams.err.open("wb") as err:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=directory,
            env=plain_environment(),
        )
    with process, watched(Running(process, streams)) as begun:
        yield begun


@contextmanager
def watched(begun: Running) -> Iterator[Running]:
    """A command that does not outlive the context."""
    try:
        yield begun
    finally:
        if begun.process.poll() is None:
            begun.process.kill()
            begun.process.wait()


async def gallery_at(url: str, directory: Path, **sections: Any) -> Workplace:
    """The incident in small at `url`: 40 users, 120 artworks; and its config.yaml."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await build_gallery(connection, users=40, artworks=120)
    await engine.dispose()
    return Workplace(directory, url).configure(**sections)


def _fast(url: str) -> Config:
    return {
        "database": {"url": url},
        "checks": {"census": {"every": "1s", "budget": None}},
        "healing": {"mode": "heal", "cooldown": "1s", "pace": {"duty": "100%"}},
        "server": {"port": 0, "admin_token": ADMIN_TOKEN},
        "lease": "2s",
    }


def _merged(base: Config, over: Mapping[str, Any]) -> Config:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
