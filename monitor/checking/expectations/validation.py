"""Unknown expectations and wrong arguments are mistakes of the configuration, with their path."""

from __future__ import annotations

from checks.errors import ConservatorError
from monitor.checking.expectations.results import Fault
from monitor.checking.expectations.worker import find_faults
from monitor.checking.expectations.worker_pool import START_SECONDS, WorkerPool
from monitor.config import ConfigError, InvalidConfigError, Settings

PATH = "checks.expectations"


async def require_known_expectations(settings: Settings, worker: WorkerPool) -> None:
    """Let Great Expectations look at every suite; nothing is asked where there is none.

    Raises InvalidConfigError with all that it does not know, or where it is not installed.
    """
    checks = settings.checks.expectations
    if not checks:
        return
    try:
        faults = await worker.run(find_faults, checks, deadline_seconds=START_SECONDS)
    except ConservatorError as error:
        raise InvalidConfigError([ConfigError(PATH, str(error))]) from error
    places = {check.name: number for number, check in enumerate(checks)}
    if faults:
        raise InvalidConfigError(_mistake(places[fault.suite], fault) for fault in faults)


def _mistake(place: int, fault: Fault) -> ConfigError:
    path = f"{PATH}[{place}].expectations[{fault.number}].{fault.path}"
    problem = fault.problem.rstrip(".")
    return ConfigError(path, problem if problem.endswith("?") else f"{problem}.")
