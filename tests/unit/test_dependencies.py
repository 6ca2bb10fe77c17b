"""What we depend on is needed, and may be depended on; `make dist` asks the latter of what it
installs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import packages_distributions

import pytest

from tests.dist.build import ROOT, project
from tests.dist.installed import NOT_TRIED
from tests.dist.supply import ALLOWED, canonical, is_allowed, licence_of, licences, pinned

NEVER_IMPORTED = {
    "tzdata": "zoneinfo reads it where the system has no time zones, as in containers",
    "pandas": "the version that works with that of Great Expectations",
}


def required() -> set[str]:
    """What pyproject.toml asks for, for those who run it."""
    extras = project()["optional-dependencies"]
    lists = [project()["dependencies"]]
    lists += [wanted for name, wanted in extras.items() if name not in NOT_TRIED]
    return {canonical(re.split(r"[\[=<>~ ]", one)[0]) for wanted in lists for one in wanted}


def sources() -> Iterator[str]:
    for package in ("checks", "monitor", "exporters"):
        for path in (ROOT / package).rglob("*.py"):
            yield path.read_text(encoding="utf-8")


def test_everything_that_is_required_is_imported() -> None:
    text = "\n".join(sources())
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for one in distributions:
            modules.setdefault(canonical(one), set()).add(module)

    def is_used(name: str) -> bool:
        return any(
            re.search(rf"^\s*(from|import) {module}\b|find_spec\(\"{module}\"", text, re.MULTILINE)
            for module in modules[name]
        )

    unused = {name for name in required() & modules.keys() if not is_used(name)}
    assert unused == NEVER_IMPORTED.keys() & modules.keys()


def test_everything_that_is_required_is_locked() -> None:
    assert required() <= pinned().keys()


def described(**fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def test_every_dependency_has_a_licence_of_the_list() -> None:
    found = list(licences(pinned()))
    assert {"sqlalchemy", "psycopg", "aiohttp", "typer"} <= {name for name, _, _ in found}
    assert [one for one in found if not is_allowed(one[2])] == []


def test_the_list_has_no_licence_that_nobody_needs() -> None:
    said = " ".join(text for _, _, text in licences(pinned()))
    needed = {one for one in ALLOWED if one in said.replace("(", " ").replace(")", " ").split()}
    assert ALLOWED - needed == set()


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT OR Apache-2.0 AND BSD-3-Clause", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0-only", False),
        ("GPL-3.0-or-later OR AGPL-3.0-only", False),
        ("A licence of our own", False),
        ("", False),
    ],
)
def test_all_of_an_and_and_one_of_an_or_has_to_be_on_the_list(
    expression: str, allowed: bool
) -> None:
    assert is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License_Expression": "MIT", "License": "something else"}, "MIT"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"License": "x" * 400, "Classifier": "License :: OSI :: BSD License"}, "BSD-3-Clause"),
        ({"Classifier": "Programming Language :: Python"}, ""),
    ],
)  # fmt: skip
def test_a_licence_is_found_wherever_a_package_says_it(
    fields: dict[str, str], licence: str
) -> None:
    assert licence_of(described(**fields)) == licence
