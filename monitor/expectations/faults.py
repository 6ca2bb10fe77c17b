"""Unknown expectations and wrong arguments are mistakes of the configuration, with their path."""

from __future__ import annotations

from checks.catalogue import parse_name
from checks.errors import ConservatorError
from monitor.config import ConfigError, InvalidConfigError, Settings
from monitor.expectations.client import START_SECONDS, Worker
from monitor.expectations.messages import Fault, Judge, Judged
from monitor.expectations.results import suite_spec

PATH = "checks.expectations"


async def require_known_expectations(settings: Settings, worker: Worker) -> None:
    """Let Great Expectations look at every suite; nothing is asked where there is none.

    Raises InvalidConfigError with all that it does not know, or where it is not installed.
    """
    checks = settings.checks.expectations
    if not checks:
        return
    suites = tuple(suite_spec(check, *parse_name(check.table)) for check in checks)
    try:
        answer = await worker.ask(Judge(suites), deadline_seconds=START_SECONDS)
    except ConservatorError as error:
        raise InvalidConfigError([ConfigError(PATH, str(error))]) from error
    assert isinstance(answer, Judged)
    places = {check.name: number for number, check in enumerate(checks)}
    if answer.faults:
        raise InvalidConfigError(_mistake(places[fault.suite], fault) for fault in answer.faults)


def _mistake(place: int, fault: Fault) -> ConfigError:
    path = f"{PATH}[{place}].expectations[{fault.number}].{fault.path}"
    problem = fault.problem.rstrip(".")
    return ConfigError(path, problem if problem.endswith("?") else f"{problem}.")
