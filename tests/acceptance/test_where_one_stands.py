"""Nothing is imported from where one stands, and nothing needs an account or a home: a suite whose
worker can't start is that suite's error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import COMMAND, Done, Workplace, gallery_at, on_one_server, running
from tests.support.extras import require_expectations
from tests.support.forks import plain_environment

require_expectations()
pytestmark = on_one_server

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "image_url"}}
SUITE = {"name": "art", "table": "art_sessions", "every": "5s", "expectations": [NOT_NULL]}
CHECKS = {"checks": {"expectations": [SUITE]}}
ROW = "art.column_values_to_not_be_null.image_url"
TRAP = "import os\nopen(os.environ['TRAPPED'], 'a').write(__name__ + '\\n')\nraise SystemExit(7)\n"
PACKAGES = ("monitor", "checks", "exporters", "multiprocessing", "great_expectations", "yaml")
MODULES = (
    *("types", "random", "yaml", "logging", "token", "pickle", "struct", "selectors", "socket"),
    *("sitecustomize", "usercustomize", "numpy", "pandas", "psycopg", "sqlalchemy", "git"),
)
NOBODY = ("unshare", "--user", "--map-user=65533", "--")
"""A user id without an account; of files, whatever it was before."""
READ_ONLY = (
    *("unshare", "--mount", "--", "sh", "-ec"),
    'for place in / /tmp /var /dev/shm "$PWD"; do'
    ' mount --bind "$place" "$place"; mount -o remount,bind,ro "$place"; done;'
    ' cd "$PWD"; ! touch here 2>/dev/null || exit 99; exec "$@"',
    "sh",
)
"""Every file system, the temporary files too."""


def trapped(folder: Path) -> Path:
    """`folder` with modules that say that they were imported; where they say it."""
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(TRAP)
    for name in MODULES:
        (folder / f"{name}.py").write_text(TRAP)
    return folder / "trapped"


def run_alone(work: Workplace, *arguments: str, around: Sequence[str] = (), **more: str) -> Done:
    """By the entry point, in an interpreter of its own, with `more` of an environment and without
    a HOME; as an argument of the program `around`."""
    environment = {**plain_environment(), **more}
    environment.pop("HOME", None)
    done = subprocess.run(
        [*around, COMMAND, *arguments],
        cwd=work.directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def possible(*around: str) -> bool:
    """Whether this user may run something so on this system."""
    with suppress(OSError):
        return subprocess.run([*around, "true"], capture_output=True, check=False).returncode == 0
    return False


@pytest.mark.long
async def test_a_folder_of_modules_is_not_looked_into(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, **CHECKS)
    said = trapped(tmp_path)
    taken = run_alone(work, "config", "check", TRAPPED=str(said))
    checked = run_alone(work, "check", "art", "census", "--json", TRAPPED=str(said))
    explained = run_alone(work, "doctor", TRAPPED=str(said))
    assert not said.exists(), said.read_text()
    assert (taken.code, explained.code) == (0, 0), (taken, explained)
    assert outcomes(checked) == {"census": "fail", "art": "pass", ROW: "pass"}


@pytest.mark.long
async def test_the_service_runs_its_suites_in_such_a_folder(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, **CHECKS)
    said = trapped(tmp_path)
    with running(work.directory, "serve", TRAPPED=str(said)) as service:
        client = service.client()
        service.until(lambda: outcome(client, "art") == "pass", 60)
    assert not said.exists(), said.read_text()


def outcomes(done: Done) -> dict[str, str]:
    return {one["name"]: one["outcome"] for one in done.json["checks"]}


def outcome(client: Any, name: str) -> str:
    return str(client.get(f"api/checks/{name}").json["check"]["outcome"])


@pytest.mark.skipif(not possible(*NOBODY), reason="this user may not be another here")
async def test_an_unknown_account_needs_nothing_but_a_user_in_the_url(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, **CHECKS)
    taken = run_alone(work, "config", "check", around=NOBODY)
    assert (taken.code, taken.err) == (0, "")
    url = app_database_url.replace("postgres@", "")
    refused = run_alone(work.configure(database={"url": url}), "config", "check", around=NOBODY)
    assert refused.code == 78
    assert "database.url: expected a user, found none" in refused.sentence
    assert "write postgresql://user@host/database" in refused.sentence


@pytest.mark.skipif(not possible(*READ_ONLY), reason="this user may not mount")
@pytest.mark.long
async def test_a_suite_runs_where_nothing_can_be_written(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, **CHECKS)
    checked = run_alone(work, "check", "art", "--json", around=READ_ONLY)
    assert outcomes(checked) == {"art": "pass", ROW: "pass"}, checked


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("raise OSError('no place to write')", "no place to write"),
        ("import os; os.write(2, b'one\\nno licence\\n'); os._exit(9)", "exit 9: no licence"),
        ("raise SystemExit('not today')", "exit 1: not today"),
    ],
    ids=["raises", "dies", "exits"],
)
@pytest.mark.long
async def test_a_worker_that_can_not_start_is_its_suites_error(
    app_database_url: str, tmp_path: Path, module: str, reason: str
) -> None:
    work = await gallery_at(app_database_url, tmp_path, **CHECKS)
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "great_expectations.py").write_text(module)
    told = f"The worker process for expectations can't start: {reason}."
    checked = run_alone(work, "check", "--json", PYTHONPATH=str(packages))
    assert checked.code == 3, checked
    assert {name for name, one in outcomes(checked).items() if one == "error"} == {"art", ROW}
    assert {one["message"] for one in checked.json["checks"] if one["outcome"] == "error"} == {told}
    taken = run_alone(work, "config", "check", PYTHONPATH=str(packages))
    assert (taken.code, taken.sentence) == (1, told)


@pytest.mark.long
async def test_a_service_whose_worker_can_not_start_serves_all_else(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, **CHECKS)
    (tmp_path / "great_expectations.py").write_text("raise OSError('no place to write')")
    with running(work.directory, "serve", PYTHONPATH=str(tmp_path)) as service:
        client = service.client()
        service.until(lambda: outcome(client, "art") == "error", 60)
        service.until(lambda: client.get("readyz").status == 200)
        assert outcome(client, "structure") in {"pass", "warn"}
        assert "no place to write" in client.get("api/checks/art").json["check"]["message"]
        assert service.events("expectations_unknown")
        assert service.stop().code == 0
