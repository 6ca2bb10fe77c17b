"""Whatever becomes of a configuration, it is taken, or refused with a path and exit code 78."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.campaign import campaign
from tests.fuzz.configurations import SAMPLE, configurations, try_configuration

EXAMPLES = 300


def test_no_configuration_whatever_is_anything_but_taken_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "config.yaml"
    assert try_configuration(SAMPLE.read_bytes(), place)
    figures = campaign(
        "configurations",
        configurations(),
        lambda text: try_configuration(text, place),
        examples=EXAMPLES,
    )
    assert figures.tried >= EXAMPLES
    assert 0 < figures.taken < figures.tried
    with capsys.disabled():
        print(figures)  # noqa: T201


def test_a_program_that_fails_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyError("server")

    monkeypatch.setattr("tests.fuzz.configurations.load_config", fails)
    with pytest.raises(AssertionError, match="KeyError"):
        try_configuration(b"", tmp_path / "config.yaml")
