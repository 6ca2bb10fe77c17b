"""An environment for each extra, and the commands of `trials.py` in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urljoin
from urllib.request import urlopen

from tests.dist.build import ROOT, DistError, project, run
from tests.dist.supply import pinned
from tests.dist.trials import ALONE, CONFIGURED, Trial

EXTRAS = ("", "demo", "expectations", "otlp")
"""The environments: none, and each that brings something to run."""
NOT_TRIED = {"build", "dev"}
"""Extras for who works on it."""
SUITE = {
    "name": "artworks",
    "table": "art_sessions",
    "every": "1h",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "image_url"}}
    ],
}
SECONDS = 120
"""The longest that a command may take."""
SAID = re.compile(r"status page +(\S+).*?psql +psql '([^']+)'", re.DOTALL)
OWN_FILES = re.compile(r'(?:href|src)="([^"]*static/[^"]+)"')
Say = Callable[[str], None]


class Environment:
    """A virtual environment with the wheel and one extra, and an empty folder to stand in."""

    def __init__(self, place: Path, wheel: Path, extra: str) -> None:
        self.extra = extra
        self.folder = place / "empty"
        self.folder.mkdir(parents=True)
        self._temporary = place / "tmp"
        self._temporary.mkdir()
        self._venv = place / "venv"
        run(sys.executable, "-m", "venv", self._venv)
        constraints = place / "constraints.txt"
        lines = [f"{name}=={version}\n" for name, version in pinned().items()]
        constraints.write_text("".join(lines), encoding="utf-8")
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        pip = (self.python, "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip, "install", "--constraint", constraints, wanted)
        run(*pip, "check")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self._venv / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages are."""
        [found] = (self._venv / "lib").glob("python*/site-packages")
        return found

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of ours, and temporary files of its own."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "TMPDIR": str(self._temporary)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`conservator WORDS`, in the empty folder."""
        return subprocess.Popen(
            [self._venv / "bin" / "conservator", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=self.environ,
            text=True,
        )

    def try_(self, trial: Trial, **values: object) -> None:
        """Type it. Raises DistError where something else comes of it."""
        words = trial.words.format(**values).split()
        with self.start(*words) as process:
            out, _ = process.communicate(timeout=SECONDS)
        if process.returncode != trial.code or trial.said not in out or "Traceback" in out:
            raise DistError(
                f"[{self.extra}] conservator {' '.join(words)}: expected {trial.code} and"
                f" {trial.said!r}, found {process.returncode}:\n{out}"
            )


def try_all(place: Path, wheel: Path, say: Say) -> dict[str, Environment]:
    """Install and try everything; the environments. Raises DistError."""
    declared = set(project()["optional-dependencies"])
    if declared - NOT_TRIED != set(filter(None, EXTRAS)):
        raise DistError(f"expected the extras {EXTRAS}, found {declared - NOT_TRIED}")
    environments = {}
    for extra in EXTRAS:
        environments[extra] = Environment(place / (extra or "none"), wheel, extra)
        count, megabytes = _size(environments[extra].site)
        say(f"installed with {extra or 'no extra'}: {count} packages, {megabytes} MB")
    none = environments[""]
    none.try_(Trial("--version", f"conservator {project()['version']}"))
    where = run(none.python, "-c", "import monitor; print(monitor.__file__)", cwd=none.folder)
    if not Path(where.strip()).is_relative_to(none.site):
        raise DistError(f"it runs from {where.strip()}, not from where it was installed")
    with _demo(environments["demo"], 20) as (address, _):
        say(f"the page has its {_look_at(address)} files, and every runbook")
    say("conservator demo --duration 20 ended by itself")
    with _demo(environments["demo"], 600, to_its_end=False) as (_, url), _collector() as port:
        _type(environments, ALONE, say, url=url, port=port)
        for one in environments.values():
            _configure(one, url)
        _type(environments, CONFIGURED, say, url=url, port=port)
    return environments


def _type(
    environments: dict[str, Environment], trials: tuple[Trial, ...], say: Say, **values: object
) -> None:
    with environments[""].start("--help") as process:
        known = set(re.findall(r"^  ([a-z][a-z-]*) ", process.communicate()[0], re.MULTILINE))
    for trial in trials:
        typed = f"conservator {trial.words}"
        if trial.command and trial.command not in known:
            say(f"NOT TRIED, there is no such command: {typed}")
            continue
        environments[trial.extra].try_(trial, **values)
        say(f"tried{f' with {trial.extra}' if trial.extra else ''}: {typed}")


@contextmanager
def _demo(
    environment: Environment, seconds: int, *, to_its_end: bool = True
) -> Iterator[tuple[str, str]]:
    """A demo: the address of its page, and the URL of its database. Raises DistError unless it ends
    well, by itself or when it is told to."""
    words = ("demo", "--port", "0", "--duration", str(seconds))
    with environment.start(*words) as process:
        assert process.stdout is not None
        out = ""
        try:
            for line in process.stdout:
                out += line
                if SAID.search(out):
                    break
            found = SAID.search(out)
            if found is None:
                raise DistError(f"the demo did not start:\n{out}")
            yield found[1], _url(found[2])
        finally:
            if not to_its_end or sys.exc_info()[0] is not None:
                process.terminate()
            out += process.communicate(timeout=SECONDS)[0]
    if process.returncode or "Nothing is left behind." not in out:
        raise DistError(f"the demo ended with {process.returncode}:\n{out}")


def _url(conninfo: str) -> str:
    """host=FOLDER user=… dbname=… as a URL."""
    said = dict(part.split("=", 1) for part in conninfo.split())
    folder = quote(said["host"], safe="")
    port = f"&port={said['port']}" if "port" in said else ""
    return f"postgresql://{said['user']}@/{said['dbname']}?host={folder}{port}"


def _look_at(address: str) -> int:
    """Read the page, every file that it names, and every runbook; how many files."""

    def read(path: str) -> str:
        with urlopen(urljoin(address, path), timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    files = set(OWN_FILES.findall(read("")))
    if len(files) < 3:
        raise DistError(f"the page names only {files}")
    for one in files:
        if not read(one):
            raise DistError(f"{one} is empty")
    for book in (ROOT / "docs" / "runbooks").glob("*.md"):
        if book.stem not in read(f"runbooks/{book.stem}"):
            raise DistError(f"there is no runbook {book.stem}")
    json.loads(read("api/openapi.json"))
    return len(files)


def _configure(environment: Environment, url: str) -> None:
    config = {"database": {"url": url}, "checks": {"expectations": [SUITE]}}
    (environment.folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")


@contextmanager
def _collector() -> Iterator[int]:
    """Takes whatever is posted; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _size(site: Path) -> tuple[int, int]:
    """Packages beside pip's own, and megabytes of them all."""
    names = {path.name.split("-")[0] for path in site.glob("*.dist-info")} - {"pip", "setuptools"}
    sizes = (path.stat().st_size for path in site.rglob("*") if path.is_file())
    return len(names), round(sum(sizes) / 1e6)
