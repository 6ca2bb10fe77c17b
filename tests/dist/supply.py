"""What it is made of: a bill of materials (CycloneDX), and the licence of every dependency."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from importlib import metadata
from pathlib import Path

from tests.dist.build import ROOT, DistError, run

ALLOWED = frozenset(
    {
        "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "PSF-2.0",
        "Zlib", "CC0-1.0",
        # Changes of their files would have to be published; ours may be as they are.
        "MPL-2.0",
        # psycopg: a library that anybody may replace, since it is a package of its own.
        "LGPL-3.0-only",
    }
)  # fmt: skip
"""SPDX identifiers of the licences under which something may be depended on."""
SPELLINGS = {
    "Apache 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
"""What older packages call them: in `License`, and in their classifiers."""
LONGEST_NAME = 40
"""Characters; what is longer in `License` is the licence itself, and the classifier names it."""
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)
LOCK = ROOT / "requirements" / "run.txt"


def pinned(lock: Path = LOCK) -> dict[str, str]:
    """Every package that is locked, with its version."""
    return dict(PINNED.findall(lock.read_text(encoding="utf-8")))


def licence_of(described: Message | metadata.PackageMetadata) -> str:
    """The licence by a package's metadata, as an SPDX expression; empty where it does not say.

    The expression is asked first, then the free text where it is a name, then the classifiers.
    """
    expressions = described.get_all("License-Expression") or []
    if expressions:
        return str(expressions[0])
    text = "".join(described.get_all("License") or []).strip()
    if text and len(text) <= LONGEST_NAME:
        return SPELLINGS.get(text, text)
    names = [
        value.rpartition(" :: ")[2]
        for value in described.get_all("Classifier") or []
        if value.startswith("License ::")
    ]
    return " AND ".join(SPELLINGS.get(name, name) for name in names)


def is_allowed(expression: str) -> bool:
    """Whether all that an SPDX expression asks for is on the list; of an OR, one side."""
    return bool(expression) and all(
        any(part.strip(" ()") in ALLOWED for part in either.split(" OR "))
        for either in expression.split(" AND ")
    )


def licences(names: Mapping[str, str], *path: str) -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of each package, as it is installed: here, or below `path`."""
    found = metadata.distributions(path=list(path)) if path else metadata.distributions()
    described = {canonical(one.metadata["Name"]): one for one in found}
    for name in sorted(names):
        if name in described:
            one = described[name]
            yield name, one.version, licence_of(one.metadata)


def canonical(name: str) -> str:
    """As requirements spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def write_licences(target: Path, site: Path) -> int:
    """Write what is installed below `site` with its licences; how many. Raises DistError where one
    is on no list."""
    found = list(licences(pinned(), str(site)))
    refused = [f"{name}: {text or 'none'}" for name, _, text in found if not is_allowed(text)]
    if refused:
        raise DistError("not on the list of licences: " + ", ".join(refused))
    rows = [{"name": name, "version": version, "licence": text} for name, version, text in found]
    target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return len(found)


def write_bill(target: Path, tool: Path, python: Path) -> int:
    """Write the bill of materials of the environment that `python` is of; how many components.
    Raises DistError."""
    run(
        tool, "environment", "--output-reproducible", "--spec-version", "1.6",
        "--output-format", "JSON", "--validate", "--mc-type", "application",
        "--pyproject", ROOT / "pyproject.toml", "--output-file", target, python,
    )  # fmt: skip
    components = json.loads(target.read_text(encoding="utf-8"))["components"]
    lacking = sorted(set(pinned()) - {canonical(one["name"]) for one in components} - BUILD_ONLY)
    if lacking:
        raise DistError("the bill of materials lacks " + ", ".join(lacking))
    return len(components)


BUILD_ONLY = frozenset(
    {"hatchling", "editables", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
)
"""Of the lock, what only builds: the extra `build`."""
