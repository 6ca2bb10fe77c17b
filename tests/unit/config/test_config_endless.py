"""Numbers of hundreds of digits, found by fuzzing: refused with a path like all else."""

from __future__ import annotations

import pytest

from monitor.config import InvalidConfigError, parse_config

URL = "database: {url: postgresql://app@db/gallery}\n"
HEX = "0x" + "f" * 5_000
DIGITS = "9" * 4_000


@pytest.mark.parametrize("number", [HEX, f"-{HEX}", DIGITS, "1" + "0" * 400])
@pytest.mark.parametrize(
    "path",
    [
        "server.port",
        "healing.threshold",
        "healing.pace.duty",
        "healing.pace.max_replica_lag_bytes",
        "checks.recording_rate.warn",
        "checks.artwork_supply.warn",
        "catalog.artworks.table",
        "history",
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_number_of_hundreds_of_digits_is_refused(
    path: str, number: str, by_variable: bool
) -> None:
    *groups, key = path.split(".")
    told = "'${NUMBER}'" if by_variable else number
    text = "".join(f"{{{group}: " for group in groups) + f"{{{key}: {told}}}" + "}" * len(groups)
    if (path, by_variable) == ("catalog.artworks.table", True):
        return  # a table may be called anything
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(URL + text[1:-1], {"NUMBER": number}, source="c", base_dir=None)
    [mistake] = caught.value.errors
    assert mistake.path == path
    assert mistake.message.startswith("expected ")


@pytest.mark.parametrize("key", ["warn", "fail"])
@pytest.mark.parametrize("limit", [f"> {DIGITS}", f"< -{DIGITS}", f"> {DIGITS}%"])
def test_a_threshold_that_no_float_holds_is_refused(key: str, limit: str) -> None:
    sql = f"checks: {{sql: [{{name: x, query: SELECT 1, every: 1m, {key}: '{limit}'}}]}}"
    with pytest.raises(InvalidConfigError, match=rf"checks.sql\[0\].{key}: expected a number"):
        parse_config(URL + sql, {}, source="c", base_dir=None)


@pytest.mark.parametrize("size", [f"{DIGITS}GB", f"{2**81}", f"{2**81}B"])
def test_a_size_that_no_storage_has_is_refused(size: str) -> None:
    with pytest.raises(InvalidConfigError, match="max_replica_lag_bytes: expected a size"):
        text = f"healing: {{pace: {{max_replica_lag_bytes: '{size}'}}}}"
        parse_config(URL + text, {}, source="c", base_dir=None)


@pytest.mark.parametrize("level", ["[{0}]", "{{<<: [{0}]}}"])
def test_aliases_of_aliases_are_refused_before_they_are_billions(level: str) -> None:
    levels = [
        f"a{below + 1}: &a{below + 1} " + level.format(",".join([f"*a{below}"] * 9))
        for below in range(12)
    ]
    with pytest.raises(InvalidConfigError, match="more than 100,000 values"):
        parse_config(f"{URL}a0: &a0 {{x: 1}}\n" + "\n".join(levels), {}, source="c", base_dir=None)


@pytest.mark.parametrize("depth", [40, 150, 330, 5_000])
@pytest.mark.parametrize("open_close", ["[]", "{a: }"])
def test_nesting_is_taken_or_refused_at_any_depth(depth: int, open_close: str) -> None:
    opened, closed = open_close[:-1] * depth, open_close[-1] * depth
    one = f"{{type: expect_x, kwargs: {{a: {opened}{closed}}}}}"
    text = f"{URL}checks: {{expectations: [{{name: x, table: t, expectations: [{one}]}}]}}"
    if depth < 100:
        assert parse_config(text, {}, source="c", base_dir=None)
        return
    with pytest.raises(InvalidConfigError, match="expected a plain structure"):
        parse_config(text, {}, source="c", base_dir=None)
