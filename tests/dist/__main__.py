"""Build what is released, check it, install and try it, and say what it is made of: `make dist`.

Everything is in dist/ in the end: wheel, sdist, bill of materials, licences, checksums. Exit 1
where something is not as it should be.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.dist import build, installed, supply
from tests.dist.build import ROOT, DistError, project

TARGET = ROOT / "dist"


def main() -> int:
    """All of it, in order."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {line}\n")
        sys.stdout.flush()

    try:
        _release(say)
    except DistError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


def _release(say: installed.Say) -> None:
    wheel, sdist = build.build(TARGET)
    say(f"built twice, the same bytes: {wheel.name}, {sdist.name}")
    build.check(wheel, sdist)
    say("twine check, check-wheel-contents: nothing to say")
    with tempfile.TemporaryDirectory(prefix="conservator-dist-") as folder:
        # The embedded PostgreSQL runs as another account than root.
        Path(folder).chmod(0o755)
        installed.try_all(Path(folder), wheel, say)
        whole = installed.Environment(Path(folder) / "whole", wheel, "demo,expectations,otlp")
        named = f"conservator-{project()['version']}"
        bill = TARGET / f"{named}.cdx.json"
        count = supply.write_bill(bill, Path(sys.executable).parent / "cyclonedx-py", whole.python)
        say(f"bill of materials: {count} components, {bill.name}")
        listed = TARGET / f"{named}.licences.json"
        count = supply.write_licences(listed, whole.site)
        say(f"licences: {count} packages, all on the list, {listed.name}")
    files = sorted(TARGET.iterdir())
    sums = "".join(f"{build.digest(path)}  {path.name}\n" for path in files)
    (TARGET / "SHA256SUMS").write_text(sums, encoding="utf-8")
    say(f"{len(files)} files in {TARGET.name}/, with SHA256SUMS")


if __name__ == "__main__":
    sys.exit(main())
