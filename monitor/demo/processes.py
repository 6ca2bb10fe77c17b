"""What the operating system knows about processes, and which account a server gets."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

_LINUX = sys.platform == "linux"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The account that a server runs as when we are root, which PostgreSQL refuses to be."""

    name: str
    uid: int
    gid: int


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that change the account; empty to stay who we are."""

    user: int
    group: int
    extra_groups: list[int]


def server_user() -> ServerUser | None:
    """An existing unprivileged account, `postgres` before `nobody`; None when we are not root.

    Raises LookupError when we are root and neither account exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise LookupError("neither the user postgres nor the user nobody exists")


def identity(user: ServerUser | None) -> Identity:
    """What to pass to `subprocess` so that the child runs as `user`."""
    if user is None:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def may(user: ServerUser | None, test: str, path: Path) -> bool:
    """Whether `user` passes the shell's `test` (-x, -r …) on `path`; asks the kernel, not modes."""
    command = ["/bin/sh", "-c", f'[ {test} "$1" ]', "sh", str(path)]
    return subprocess.run(command, check=False, cwd="/", **identity(user)).returncode == 0


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not yet collected does not."""
    if _LINUX:
        try:
            stat = (_PROC / str(pid) / "stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def children(pid: int) -> tuple[int, ...]:
    """The pids of the direct children; none where the system has no /proc."""
    try:
        listed = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except OSError:
        return ()
    return tuple(int(child) for child in listed.split())


def command_line(pid: int) -> str:
    """The process's arguments, joined by blanks; empty when it is gone."""
    if _LINUX:
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    listed = subprocess.run(
        ["ps", "-p", str(pid), "-o", "args="], check=False, capture_output=True, text=True
    )
    return listed.stdout


def send(pid: int, signal_number: signal.Signals) -> None:
    """Sends a signal; a process that is already gone is no error."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return


def wait_until_gone(pids: Iterable[int], *, seconds: float) -> bool:
    """Returns when none of the processes runs any more; False when one still does in the end."""
    left = [*pids]
    deadline = time.monotonic() + seconds
    while left := [pid for pid in left if is_alive(pid)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
