"""The private directory that a server lives in, and the removal of those left by dead owners.

An owner holds a lock on the file `owner` in its directory. The kernel releases the lock however
the owner ends, and a lock, unlike a pid, can't come to belong to somebody else.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from checks.errors import ConfigurationError, ConservatorError
from monitor.demo.processes import ServerUser, command_line, may, send, wait_until_gone

PREFIX = "conservator-"
_OWNER = "owner"
_SOCKET_PATH_BYTES = 100  # sockaddr_un holds 108 on Linux and 104 on BSD, terminator included
_GONE_WITHIN = 5.0  # seconds
_FALLBACKS = (Path("/tmp"), Path("/var/tmp"))


class PrivateDirectory:
    """A fresh directory, mode 700, owned by the server's account and locked by this process."""

    def __init__(self, user: ServerUser | None) -> None:
        """Creates it. Raises ConservatorError when no temporary directory will do."""
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_base(user)))
        self._lock = os.open(self.path / _OWNER, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.write(self._lock, f"{os.getpid()}\n".encode())
        if user is not None:
            os.chown(self.path, user.uid, user.gid)

    def remove(self) -> None:
        """Deletes it with everything in it, then lets go of the lock."""
        remove_tree(self.path)
        os.close(self._lock)


def prepare_keep(path: Path, user: ServerUser | None) -> None:
    """Makes sure that `user` can work in the directory that outlives the server.

    Raises ConfigurationError where only wider permissions on somebody's directories would help.
    """
    path.mkdir(parents=True, exist_ok=True)
    if not may(user, "-x", path):
        name = user.name if user is not None else "this account"
        raise ConfigurationError(
            f"The server runs as {name}, which can't enter {path}. "
            "Choose a directory that it can reach, outside of home directories."
        )


def sweep() -> None:
    """Removes the directories of earlier runs whose owner is gone, with their servers if any."""
    for base in {Path(tempfile.gettempdir()), *_FALLBACKS}:
        for path in base.glob(f"{PREFIX}*/{_OWNER}"):
            _sweep_one(path)


def remove_tree(path: Path) -> None:
    """Deletes a directory in which a dying process may still be creating files."""
    deadline = time.monotonic() + _GONE_WITHIN
    while path.exists():
        shutil.rmtree(path, ignore_errors=time.monotonic() < deadline)


def _base(user: ServerUser | None) -> Path:
    """The first temporary directory outside the home that `user` can enter and a socket fits."""
    home = Path.home()
    for base in (Path(tempfile.gettempdir()), *_FALLBACKS):
        longest = base / f"{PREFIX}12345678" / ".s.PGSQL.65535.lock"
        at_home = home in base.parents and home != Path(home.anchor)
        fits = len(os.fsencode(longest)) < _SOCKET_PATH_BYTES
        if fits and not at_home and os.access(base, os.W_OK) and may(user, "-x", base):
            return base
    raise ConservatorError(
        "No temporary directory will do: expected one outside the home directory, with a path "
        f"shorter than 60 bytes, that the server can enter; found {tempfile.gettempdir()}. "
        "Set TMPDIR to such a directory."
    )


def _sweep_one(marker: Path) -> None:
    try:
        lock = os.open(marker, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # somebody else's, or gone this very moment
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.fstat(lock).st_uid == os.geteuid() and not marker.parent.is_symlink()
        if ours and os.read(lock, 1):  # empty: its owner is just about to lock it
            _stop_leftover(marker.parent / "data")
            remove_tree(marker.parent)
    except OSError:  # its owner lives, or the directory resists: the next start tries again
        return
    finally:
        os.close(lock)


def _stop_leftover(data: Path) -> None:
    """Ends a server whose owner was killed where the kernel does not do that for us."""
    try:
        pid = int((data / "postmaster.pid").read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return
    if str(data) not in command_line(pid):
        return
    send(pid, signal.SIGQUIT)
    if not wait_until_gone([pid], seconds=_GONE_WITHIN):
        send(pid, signal.SIGKILL)
