"""schemathesis, the program, against the running service: all of its checks, all of its phases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.callers import Caller
from tests.support.commands import Workplace
from tests.support.http import Client

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).parent / "schemathesis"
ENDLESS = "/events"
"""A stream has no answer to wait for; its own tests read it."""
PATIENCE = 3600.0  # seconds; the long form is bounded by its number of examples
_HOOKS = {
    "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
    "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
}
_LINE = 300
"""Characters of each line of its output that are shown."""

_SETTINGS = """
[dictionaries.users]
values = {users}

[parameters]
"query.user_id" = {{ dictionary = "users", probability = 0.5 }}
"body.user_id" = {{ dictionary = "users", probability = 0.5 }}
"""


@dataclass(frozen=True)
class Tried:
    """What one run of schemathesis came to."""

    caller: str
    requests: int
    failures: int
    operations: int
    seconds: float
    complete: bool
    output: str

    def __str__(self) -> str:
        return (
            f"{self.caller}: {self.requests} requests to {self.operations} operations in"
            f" {self.seconds:.0f} s, {self.failures} failures"
        )


def fuzz(
    work: Workplace,
    admin: Client,
    caller: Caller,
    *,
    examples: int,
    seed: int,
    users: Sequence[str],
) -> Tried:
    """Let schemathesis try `examples` inputs a call, beside those that it lists by itself; half of
    the users are real ones."""
    place = work.directory / f"schemathesis {caller.name}"
    place.mkdir()
    settings, report = place / "settings.toml", place / "report.json"
    described = place / "openapi.json"
    # Not everybody may read it; what it says is meant for all of them.
    described.write_text(admin.get("api/openapi.json").text)
    settings.write_text(_SETTINGS.format(users=json.dumps(list(users))))
    arguments = [
        *("--config-file", str(settings), "--no-color", "run", str(described)),
        *("--url", admin.address, "--checks", "all", "--seed", str(seed), "--continue-on-failure"),
        *("--max-examples", str(max(1, round(examples * caller.share)))),
        *("--suppress-health-check", "all"),
        *("--exclude-path", ENDLESS),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    # A kept connection would keep its address; see hooks.
    arguments += ["--header", "Connection: close"]
    if caller.token is not None:
        arguments += ["--header", f"Authorization: Bearer {caller.token}"]
    ended = subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=place,
        # What it remembers of earlier runs would make this one another.
        env={**os.environ, **_HOOKS, "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "remembered")},
    )
    output = "\n".join(line[:_LINE] for line in (ended.stdout + ended.stderr).splitlines())
    assert report.exists(), output
    return _tried(caller, json.loads(report.read_text()), ended.returncode, output)


def some_users(work: Workplace) -> list[str]:
    """Ids of some users that there are."""
    return [str(user) for (user,) in work.rows("SELECT id FROM users ORDER BY id LIMIT 10")]


def _tried(caller: Caller, report: dict[str, object], code: int, output: str) -> Tried:
    cases, operations = report["test_cases"], report["operations"]
    assert isinstance(cases, dict)
    assert isinstance(operations, dict)
    return Tried(
        caller=caller.name,
        requests=cases["generated"],
        failures=max(cases["with_failures"] + cases["errored"], int(code != 0)),
        operations=operations["tested"],
        seconds=float(str(report["running_time"])),
        complete=bool(report["complete"]),
        output=output,
    )
