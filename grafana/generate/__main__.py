"""Writes dashboards and alert rules, or says which of them are out of date (--check)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana.generate.alerts import ALERTS
from grafana.generate.healing import healing
from grafana.generate.health import health
from grafana.generate.managed import provisioning
from grafana.generate.panels import Json
from grafana.generate.places import Places
from grafana.generate.rules import rule_file

FOLDER = Path(__file__).parents[1]
SERVICE = "http://localhost:9855"
GRAFANA = "http://localhost:3000"


def files(service: str = SERVICE, grafana: str = GRAFANA) -> dict[str, str]:
    """Every file that is made, by its path below grafana/."""
    documents = {"gallery-health": health(), "healing": healing()}
    places = Places(service.rstrip("/"), grafana.rstrip("/"), panel_numbers(*documents.values()))
    made = {
        f"dashboards/{name}.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in documents.items()
    }
    made["alerts/conservator.rules.yaml"] = rule_file(ALERTS, places)
    made["provisioning/alerting/conservator.yaml"] = provisioning(ALERTS, places)
    return made


def panel_numbers(*dashboards: Json) -> dict[tuple[str, str], int]:
    """The number of every panel, by the dashboard's uid and its title."""
    return {
        (one["uid"], panel["title"]): panel["id"] for one in dashboards for panel in one["panels"]
    }


def main() -> int:
    """Exit 1 with --check where a file is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--service", default=SERVICE, help="where people reach conservator")
    parser.add_argument("--grafana", default=GRAFANA, help="where people reach Grafana")
    options = parser.parse_args()
    stale = []
    for name, text in files(options.service, options.grafana).items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    done = "is out of date: run python -m grafana.generate" if options.check else "written"
    for name in stale:
        sys.stdout.write(f"grafana/{name} {done}\n")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
