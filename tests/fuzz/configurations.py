"""Configurations with something wrong in them: refused with a path, or taken; nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from monitor.cli.app import run
from monitor.config import InvalidConfigError, Settings, describe, load_config
from tests.fuzz.documents import Draw, damaged, several

REFUSED = 78
SAMPLE = Path(__file__).parents[2] / "config.yaml"
PASSWORD = "never-to-be-told"
ENVIRONMENT = {"DATABASE_URL": f"postgresql://app:{PASSWORD}@db/gallery", "X": "1", "Y": ""}

_RICH = {
    "database": {"url": "${DATABASE_URL}", "read_url": f"postgres://u:{PASSWORD}@replica/gallery"},
    "catalog": {
        "artworks": {"table": "public.art", "owner": "user_id", "where": "is_active"},
        "users": {"table": '"Users"', "created_at": "created_at"},
        "impressions": {"table": "views", "defaults": {"id": "gen_random_uuid()"}},
        "timezone": "Europe/Berlin",
    },
    "pools": {"fresh_for": "15m", "legacy_after": "7d", "legacy_created_before": "2026-01-01"},
    "checks": {
        "census": {"every": "1m", "budget": "1%", "timeout": "30s"},
        "recording_rate": {"cron": "*/5 * * * *", "warn": 4, "fail": 8},
        "sql": [{"name": "one", "query": "SELECT 1", "every": "1m", "warn": "> 0"}],
        "expectations": [
            {
                "name": "art",
                "table": "art",
                "every": "1h",
                "expectations": [
                    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}
                ],
            }
        ],
    },
    "healing": {
        "mode": "heal",
        "threshold": 1,
        "window": "01:00-05:00",
        "breaker": {"max_share": "50%", "stuck_after": 3},
        "pace": {
            "duty": 0.5,
            "max_replica_lag_bytes": "64MiB",
            "promql": {"url": "http://p:9090", "query": "up", "max": 1},
        },
    },
    "server": {
        "host": "127.0.0.1",
        "port": 9855,
        "admin_token": "admin-token-of-the-fuzzing-tests-00",
        "app_token": "app-token-of-the-fuzzing-tests-0000",
    },
    "history": "90d",
    "lease": "10s",
}
_SAMPLE_TEXT = SAMPLE.read_bytes()
_BASES = (yaml.safe_load(_SAMPLE_TEXT), _RICH)
_PIECES = (
    *(b"\t", b"\n", b"  ", b": ", b"- ", b"{", b"}", b"[", b"]", b"#", b"'", b'"', b"&a ", b"*a"),
    *(b"<<: *a", b"!!python/object:os.system ", b"!!binary ", b"? ", b"|\n", b">\n", b"---\n"),
    *(b"%YAML 9.9\n", b"...\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"0o7", b"1_0"),
    *(
        b"0x" + b"f" * 5_000,
        b"9" * 5_000,
        b"2026-99-99",
        b"12:30:45",
        b".inf",
        b"${",
        b"${X:-${Y}}",
        b"database: {url: x}\n",
    ),
)


@st.composite
def configurations(draw: Draw) -> bytes:
    """A file that was a sound configuration."""
    if draw(st.booleans()):
        return damaged(_SAMPLE_TEXT, draw, _PIECES)
    tree = several(draw(st.sampled_from(_BASES)), draw)
    style = draw(st.sampled_from((yaml.safe_dump, json.dumps)))
    try:
        text = style(tree).encode("utf-8", "surrogatepass")
    except (ValueError, yaml.YAMLError):
        text = repr(tree).encode("utf-8", "surrogatepass")
    return damaged(text, draw, _PIECES) if draw(st.integers(0, 3)) == 0 else text


def try_configuration(text: bytes, place: Path) -> bool:
    """Whether it is taken. AssertionError where it is neither taken nor properly refused."""
    place.write_bytes(text)
    code, said = _as_the_command_does(place)
    assert "Traceback" not in said
    assert PASSWORD not in said or _is_torn(text)
    assert code in {0, REFUSED}, said
    if code == 0:
        return True
    assert said.startswith("conservator: "), said
    try:
        load_config(place, ENVIRONMENT)
    except InvalidConfigError as error:
        assert error.errors
        for mistake in error.errors:
            assert mistake.path, mistake
            assert "expected " in mistake.message, mistake
            assert mistake.path in said
    return False


def _is_torn(text: bytes) -> bool:
    """Whether the password stands where nobody could tell that it is one."""
    words = text.decode("utf-8", "replace")
    return words.count(PASSWORD) > len(re.findall(rf"://[^\s@]*:{PASSWORD}@", words))


def _as_the_command_does(place: Path) -> tuple[int, str]:
    """Exit code and everything that is said, as `config check --json` would."""
    said = io.StringIO()

    def check() -> int:
        settings: Settings = load_config(place, ENVIRONMENT)
        shown: Any = describe(settings)
        said.write(json.dumps(shown))
        return 0

    with contextlib.redirect_stderr(said):
        code = run(check)
    return code, said.getvalue()
