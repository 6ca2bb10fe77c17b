"""The plain anti-join through tools that people run it with, where they are installed."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from bench.counting import naive
from bench.errors import BenchmarkError
from bench.progress import note
from bench.servers import statement
from checks.spec import Cutoffs
from tests.support.child import ChildProcess
from tests.support.postgres import PostgresServer

_EXPORTER = "prometheus-sql-exporter"
_PATIENCE_SECONDS = 3600.0
_POLL = 0.01
_METRIC = "sql_pairs{"


def rivals(
    server: PostgresServer, database: str, cutoffs: Cutoffs
) -> Iterator[tuple[str, list[float]]]:
    """A tool's name and the seconds that it took, once; no seconds where it is not installed."""
    name = "anti-join through Great Expectations"
    if find_spec("great_expectations") is None:
        yield f"{name} (not installed)", []
    else:
        yield name, [_through_expectations(server, database, cutoffs)]
    name = f"anti-join through {_EXPORTER}"
    if shutil.which(_EXPORTER) is None:
        yield f"{name} (not installed)", []
    else:
        yield name, [_through_exporter(server, database, cutoffs)]


def _through_expectations(server: PostgresServer, database: str, cutoffs: Cutoffs) -> float:
    """The seconds of one validation; neither the import nor the set-up is counted."""
    note("… Great Expectations")
    request = {"url": server.url(database), "query": _filled("anti_join_rows", cutoffs)}
    done = subprocess.run(
        [sys.executable, "-m", "bench.expectation"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"Great Expectations failed: {done.stderr.strip()[-500:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if not answer["success"]:
        raise BenchmarkError(f"Great Expectations found unexpected rows: {answer}")
    return float(answer["seconds"])


def _through_exporter(server: PostgresServer, database: str, cutoffs: Cutoffs) -> float:
    """From the exporter's start to the scrape that has the counts; its start is milliseconds."""
    note(f"… {_EXPORTER}")
    port = _free_port()
    config = server.socket_dir / "exporter.yaml"
    # JSON is YAML.
    config.write_text(json.dumps(_exporter_config(server, database, cutoffs)), encoding="utf-8")
    log = server.socket_dir / "exporter.log"
    started = time.perf_counter()
    child = ChildProcess(
        [
            str(shutil.which(_EXPORTER)),
            f"-config.file={config}",
            f"-web.listen-address=127.0.0.1:{port}",
        ],
        output=log,
        directory=server.socket_dir,
    )
    try:
        while time.perf_counter() - started < _PATIENCE_SECONDS and child.status is None:
            if _METRIC in _scraped(port):
                return time.perf_counter() - started
            time.sleep(_POLL)
    finally:
        child.kill()
    raise BenchmarkError(f"{_EXPORTER} never told the counts: {_end_of(log)}")


def _exporter_config(server: PostgresServer, database: str, cutoffs: Cutoffs) -> object:
    url = f"postgres://postgres@/{database}?sslmode=disable&host={quote(str(server.socket_dir))}"
    counts = ["tracked", "fresh", "storage", "legacy_untracked"]
    query = {
        "name": "pairs",
        "help": "pairs by state",
        "values": counts,
        "query": _filled("anti_join", cutoffs),
    }
    job = {"name": "gallery", "interval": "24h", "connections": [url], "queries": [query]}
    return {"jobs": [job]}


def _filled(name: str, cutoffs: Cutoffs) -> str:
    """A statement with its moments in place: these tools bind nothing."""
    text = "\n".join(
        line for line in statement(name).as_string(None).splitlines() if not line.startswith("--")
    )
    moments = {key: f"timestamp '{value.isoformat(' ')}'" for key, value in naive(cutoffs).items()}
    return text % moments


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _scraped(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    except OSError:  # it does not listen yet
        return ""
    finally:
        connection.close()


def _end_of(log: Path) -> str:
    return " | ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
