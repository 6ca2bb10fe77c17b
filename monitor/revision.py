"""Which commit this is, for `conservator_build_info`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

UNKNOWN = "unknown"


def revision() -> str:
    """The commit of a checkout, CONSERVATOR_REVISION where the build sets it, or "unknown"."""
    given = os.environ.get("CONSERVATOR_REVISION")
    if given:
        return given
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return UNKNOWN
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return found.stdout.strip() or UNKNOWN
