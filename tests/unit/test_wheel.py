"""What is installed brings its pages, scripts and runbooks with it."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from exporters.page.assets import TYPES

ROOT = Path(__file__).parents[2]
builders = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")


def test_the_wheel_holds_templates_static_files_and_statements(tmp_path: Path) -> None:
    [built] = builders.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(built) as wheel:
        held = set(wheel.namelist())
    templates = [path.name for path in (ROOT / "exporters/page/templates").iterdir()]
    statements = [path.name for path in (ROOT / "monitor/state/sql").iterdir()]
    runbooks = [path.name for path in (ROOT / "docs/runbooks").iterdir()]
    expected = {
        *(f"exporters/page/templates/{name}" for name in templates),
        *(f"exporters/page/static/{name}" for name in TYPES),
        *(f"monitor/state/sql/{name}" for name in statements),
        *(f"exporters/runbooks/{name}" for name in runbooks),
    }
    assert "exporters/page/static/uPlot.LICENSE.txt" in expected
    assert expected - held == set()
    assert not [name for name in held if name.startswith("tests/")]
