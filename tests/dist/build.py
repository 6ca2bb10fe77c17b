"""Wheel and sdist, built in isolation from nothing but the tracked files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = "checks,monitor,exporters"


class DistError(Exception):
    """Something is not as it should be released; the message says what."""


def project() -> dict[str, Any]:
    """What pyproject.toml says of it: the one source of the version."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)["project"]
    assert isinstance(found, dict)
    return found


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """What a program says, which must end well. Raises DistError with all of it."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, **environment},
        text=True,
        check=False,
    )
    if done.returncode:
        raise DistError(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def build(target: Path) -> tuple[Path, Path]:
    """The wheel and the sdist in `target`, which holds nothing else. Raises DistError."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory(prefix="conservator-dist-") as folder:
        first = _built(Path(folder) / "one", umask=0o022)
        # Another place, other times and rights.
        again = _built(Path(folder) / "another" / "place", umask=0o077)
        for one, other in zip(first, again, strict=True):
            if (one.name, digest(one)) != (other.name, digest(other)):
                raise DistError(f"{one.name} was built twice, and is not the same")
        sdist, wheel = (Path(shutil.copy(one, target)) for one in first)
    return wheel, sdist


def digest(path: Path) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(wheel: Path, sdist: Path) -> None:
    """What the index's own tools say of them. Raises DistError."""
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    run(sys.executable, "-m", "check_wheel_contents", "--toplevel", PACKAGES, wheel)
    version = project()["version"]
    expected = {f"conservator-{version}-py3-none-any.whl", f"conservator-{version}.tar.gz"}
    if {wheel.name, sdist.name} != expected:
        raise DistError(f"expected {expected}, found {wheel.name} and {sdist.name}")


def _built(place: Path, *, umask: int) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    before = os.umask(umask)
    try:
        _copy_tracked(place / "source")
        run(sys.executable, "-m", "build", "--outdir", place / "dist", place / "source")
    finally:
        os.umask(before)
    [sdist], [wheel] = ([*(place / "dist").glob(kind)] for kind in ("*.tar.gz", "*.whl"))
    return sdist, wheel


def _copy_tracked(target: Path) -> None:
    listed = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).exists():
            continue  # deleted, and not committed yet
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        # Without times and rights: those of a clone are whatever they are.
        shutil.copyfile(ROOT / name, target / name)
