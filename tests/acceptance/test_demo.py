"""`demo`: everything at work on a database of its own, and nothing of it left in the end."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.cli.demo import MISSPELT
from tests.support.child import command_line
from tests.support.commands import Running, running
from tests.support.http import Client
from tests.support.servers import EMBEDDED
from tests.support.waiting import PATIENCE, wait_until_sync

pytestmark = pytest.mark.skipif(EMBEDDED.missing is not None, reason=str(EMBEDDED.missing))

MENDED = 'conservator_repair_rows_total{repair="tiers"}'
LEGACY = 'conservator_artworks{state="legacy_untracked"}'
GOODBYE = re.compile(
    r"legacy_untracked: ([\d,]+) at first, ([\d,]+) now; ([\d,]+) impressions backfilled,"
    r" ([\d,]+) rows repaired"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for temporary ones, which the server's account can enter."""
    with tempfile.TemporaryDirectory(prefix="demo-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def demo(place: Path, tmp_path: Path, *arguments: str) -> Iterator[Running]:
    """A demo in the background; afterwards neither a process nor a directory of it is there."""
    before = set(place.iterdir())
    with running(tmp_path, "demo", "--port", "0", *arguments, TMPDIR=str(place)) as process:
        yield process
        assert process.process.poll() is not None
    wait_until_sync(lambda: not processes_in(place))
    assert set(place.iterdir()) == before


def processes_in(place: Path) -> list[str]:
    """The command lines of all processes that name the directory."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [line for line in map(command_line, pids) if str(place) in line]


def client_of(process: Running) -> Client:
    """A client of the demo's service, once it has said where it is."""
    process.until(lambda: "psql  " in process.out, PATIENCE)
    assert "conservator discover --url 'postgresql" in process.out
    [address] = re.findall(r"status page +(\S+)", process.out)
    return Client(address)


def legacy_of(process: Running) -> Callable[[], float | None]:
    """What the demo's metrics say now; None before the first census."""
    client = client_of(process)
    return lambda: client.metrics().get(LEGACY)


def test_the_demo_ends_by_itself_and_leaves_nothing(place: Path, tmp_path: Path) -> None:
    with demo(place, tmp_path, "--duration", "25") as process:
        legacy = legacy_of(process)
        process.until(lambda: (legacy() or 0) > 0)
        assert processes_in(place)
        done = process.ended(within=PATIENCE)
    assert done.code == 0, done
    assert GOODBYE.search(done.words)
    assert "Nothing is left behind." in done.out


@pytest.mark.long
def test_signals_leave_nothing_but_a_healed_gallery_to_go_on_with(
    place: Path, tmp_path: Path
) -> None:
    kept = place / "kept"
    kept.mkdir()
    with demo(place, tmp_path, "--keep", str(kept)) as process:
        legacy = legacy_of(process)
        process.until(lambda: (legacy() or 0) > 0, PATIENCE)
        process.until(lambda: legacy() == 0, PATIENCE)
        process.until(lambda: client_of(process).metrics().get(MENDED) == MISSPELT, PATIENCE)
        first = process.stop(signal.SIGTERM, within=PATIENCE)
    goodbye = GOODBYE.search(first.words)
    assert goodbye is not None, first
    planted, _, written, mended = (int(number.replace(",", "")) for number in goodbye.groups())
    assert written >= planted > 0
    assert mended == MISSPELT
    assert f"has mended for tiers: {MISSPELT} rows by now" in first.words
    with demo(place, tmp_path, "--keep", str(kept)) as process:
        legacy = legacy_of(process)
        process.until(lambda: legacy() is not None)
        second = process.stop(signal.SIGINT, within=PATIENCE)
    assert (first.code, second.code) == (0, 0)
    assert "Making a gallery" in first.out
    assert "Making a gallery" not in second.out
    assert f"The database is in {kept}." in second.words


def test_sigterm_before_it_has_begun_leaves_nothing(place: Path, tmp_path: Path) -> None:
    with demo(place, tmp_path) as process:
        process.until(lambda: "Making a gallery" in process.out, PATIENCE)
        done = process.stop(signal.SIGTERM, within=PATIENCE)
    assert done.code == 0, done
    assert "Nothing is left behind." in done.out
