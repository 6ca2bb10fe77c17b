"""Settings that findings propose, as sections to be pasted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.doctor.findings import Examination
from monitor.config import Settings


def proposed_settings(examination: Examination, settings: Settings) -> dict[str, Any]:
    """Every setting that the findings propose, within the sections as they are configured."""
    proposed: dict[str, Any] = {}
    said: set[str] = set()
    for finding in examination.findings:
        for path, value in finding.settings.items():
            section, *keys = path.split(".")
            given = settings.model_dump(mode="json", exclude_unset=True, include={section})
            place = proposed.setdefault(section, given.get(section, {}))
            for key in keys[:-1]:
                place = place.setdefault(key, {})
            there = place.get(keys[-1])
            if isinstance(there, Mapping) and isinstance(value, Mapping):
                place[keys[-1]] = {**there, **value}
            elif path in said and isinstance(there, list) and isinstance(value, list):
                place[keys[-1]] = [*there, *(one for one in value if one not in there)]
            elif path in said and keys[-1] == "where" and there != value:
                place[keys[-1]] = f"({there}) AND ({value})"  # of two findings
            elif path not in said:
                place[keys[-1]] = value  # of the worst that is found
            said.add(path)
    return proposed
