"""What counts as one number from Prometheus, and what is said about everything else."""

from __future__ import annotations

import json
import math

import pytest

from monitor.healing.throttle.prometheus import value_of


def success(kind: str, result: object) -> bytes:
    document = {"status": "success", "data": {"resultType": kind, "result": result}}
    return json.dumps(document).encode()


def series(*values: str) -> bytes:
    return success("vector", [{"metric": {}, "value": [1.5, value]} for value in values])


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (series("42.5"), 42.5),
        (series("-0"), 0.0),
        (series("+Inf"), math.inf),
        (success("scalar", [1.5, "7"]), 7.0),
    ],
)
def test_one_series_or_a_scalar_is_a_number(body: bytes, value: float) -> None:
    assert value_of(body, 200) == value


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (series(), 200, "returned no series"),
        (series("1", "2"), 200, "returned 2 series"),
        (series("NaN"), 200, "returned NaN"),
        (series("many"), 200, "a sample without a number"),
        (success("vector", [{"metric": {}}]), 200, "a sample without a number"),
        (success("vector", [7]), 200, "a sample without a number"),
        (success("vector", [{"value": [1, 2, 3]}]), 200, "a sample without a number"),
        (success("scalar", None), 200, "a sample without a number"),
        (success("scalar", [1, 2]), 200, "a sample without a number"),
        (success("matrix", []), 200, "returned a matrix"),
        (success("string", [1, "x"]), 200, "returned a string"),
        (b'{"status": "success"}', 200, "returned a None"),
        (b'{"status": "success", "data": []}', 200, "returned a None"),
        (b'{"status": "error", "error": "parse error at 1:3"}', 400, "HTTP 400: parse error"),
        (series("1"), 503, "HTTP 503: success"),
        (b"<html>Sign in</html>", 200, "something else than JSON"),
        (b"[]", 200, "something else than JSON"),
        (b"\xff", 200, "something else than JSON"),
        (b"", 502, "HTTP 502"),
    ],
)
def test_everything_else_is_told_as_what_it_is(body: bytes, status: int, problem: str) -> None:
    found = value_of(body, status)
    assert isinstance(found, str)
    assert problem in found
