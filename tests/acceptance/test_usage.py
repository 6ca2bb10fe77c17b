"""Wrong usage, a wrong configuration, an absent database: one sentence and the right exit code."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from monitor.cli.app import Commands, app
from tests.support.commands import PASSWORD, Workplace

SAMPLE = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    """A workplace without a database: nothing here gets that far."""
    url = "postgresql+psycopg://postgres@127.0.0.1:1/gallery"
    return Workplace(tmp_path, url).configure()


WRONG = {
    "repaint": "repaint",
    "check censos": "expected census, structure",
    "heal --max-rows 0": "--max-rows",
    "heal --quickly": "--quickly",
    "explain --user ada": "--artwork",
    "runs first": "valid integer",
    "": "expected a command",
}


def test_wrong_usage_exits_64_with_one_sentence(work: Workplace) -> None:
    for done, said in zip(work.run_each(*WRONG), WRONG.values(), strict=True):
        assert done.code == 64
        assert done.err.startswith("conservator: ")
        assert said in done.err
        assert done.out == ""


def test_without_a_command_it_says_what_to_type_next(work: Workplace) -> None:
    configured = work.run()
    empty = work.directory / "empty"
    empty.mkdir()
    begun = Workplace(empty, "").run()
    for done, said in ((configured, "config.yaml is here"), (begun, "There is no config.yaml")):
        assert (done.code, done.out) == (64, "")
        assert said in done.err
        typed = re.findall(r"^  conservator (\S+)", done.err, re.MULTILINE)
        assert typed[-1] == "--help"
        assert set(typed[:-1]) <= set(Commands.modules)
    assert "conservator doctor" in configured.err
    assert "conservator demo" in begun.err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("conservator rese", "reset-breaker"), ("conservator heal --dry", "--dry-run")],
)
def test_a_shell_completes_commands_and_options(
    typed: str,
    offered: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_CONSERVATOR_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    with pytest.raises(SystemExit):
        app(standalone_mode=False, prog_name="conservator")
    assert capsys.readouterr().out.split() == [offered]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://postgres:{PASSWORD}@127.0.0.1:1/gallery",
        f"postgresql://postgres:{PASSWORD}@/gallery?host=/nowhere/at/all",
    ],
    ids=["closed port", "no such socket"],
)
def test_an_absent_database_exits_69_within_seconds(url: str, work: Workplace) -> None:
    work.configure(database={"url": url})
    started = time.monotonic()
    for done in work.run_each("check", "heal --yes", "pause"):
        assert done.code == 69
        assert "The database can't be used" in done.err
        assert "database.url" in done.err
    assert time.monotonic() - started < 20


def test_every_mistake_of_a_configuration_is_told_at_once(work: Workplace) -> None:
    assert work.run("config", "check").code == 0
    work.configure(
        healing={"mode": "repair", "pace": {"duty": "150%"}},
        pools={"fresh_for": "soon"},
        sever={"port": 1},
    )
    for done in work.run_each("config check", "check", "serve"):
        assert done.code == 78
        for path in ("healing.mode", "healing.pace.duty", "pools.fresh_for", "sever"):
            assert path in done.err


def test_a_missing_configuration_says_how_to_name_one(tmp_path: Path) -> None:
    done = Workplace(tmp_path, "").run("check")
    assert done.code == 78
    assert "config.yaml" in done.sentence
    assert "-c" in done.sentence


def test_the_effective_settings_hide_secrets(work: Workplace) -> None:
    shown = work.run("config", "check", "--json").json
    assert shown["pools"]["legacy_after"] == "7d"
    assert shown["database"]["url"] == "***"


def test_the_printed_schema_accepts_the_sample_and_refuses_a_typing_mistake(
    work: Workplace,
) -> None:
    schema = work.run("config", "schema").json
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    sample = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    assert list(validator.iter_errors(sample)) == []
    assert list(validator.iter_errors({**sample, "helaing": {}}))


def test_discover_says_which_database_it_lacks(tmp_path: Path) -> None:
    work = Workplace(tmp_path, "")
    unnamed, wrong, away = work.run_each(
        "discover", "discover --url sqlite:///x", "discover --url postgresql://localhost:1/x"
    )
    assert (unnamed.code, wrong.code, away.code) == (64, 78, 69)
    assert "--url" in unnamed.sentence
    assert "postgresql://" in wrong.err


def test_help_and_version_need_no_configuration(tmp_path: Path) -> None:
    work = Workplace(tmp_path, "")
    listed, version, heal = work.run_each("--help", "--version", "heal --help")
    assert listed.code == 0
    for command in (
        "demo",
        "discover",
        "serve",
        "check",
        "heal",
        "explain",
        "pause",
        "doctor",
        "uninstall",
    ):
        assert f"\n  {command} " in listed.out
    assert version.out.startswith("conservator ")
    assert "--dry-run" in heal.out


def test_a_kept_configuration_may_be_named(work: Workplace) -> None:
    (work.directory / "config.yaml").rename(work.directory / "other.yaml")
    (work.directory / "broken.yaml").write_text(json.dumps({"database": {}}))
    kept, broken = work.run_each("-c other.yaml config check", "-c broken.yaml config check")
    assert (kept.code, broken.code) == (0, 78)
