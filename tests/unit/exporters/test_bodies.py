"""Bodies: what is not exactly right is refused with a sentence, and nothing is done."""

from __future__ import annotations

import gzip
import json
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.exporters.serving import ADMIN, BACKFILL, Served, bearer, serving

PAUSE = "/api/healing/pause"
JSON = {"Content-Type": "application/json"}


async def send(
    served: Served, raw: bytes, *, path: str = BACKFILL, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    sent = ADMIN | (JSON if headers is None else headers)
    async with served.client.post(path, data=raw, headers=sent) as response:
        return response.status, (await response.json()).get("error", {})


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b"", "bad_json", "expected JSON"),
        (b"{", "bad_json", "expected JSON"),
        (b"{'user_id': 'U'}", "bad_json", "expected JSON"),
        (b'{"user_id": "U"} x', "bad_json", "expected JSON"),
        (b'{"user_id": NaN}', "bad_json", "NaN is no JSON number"),
        (b'{"user_id": -Infinity}', "bad_json", "-Infinity is no JSON number"),
        (b'{"user_id": ' + b"9" * 5000 + b"}", "bad_json", "expected JSON"),
        (b'{"user_id": "U", "user_id": "V"}', "bad_json", "'user_id' stands twice"),
        (b'{"user_id": "\xff"}', "bad_json", "it is not UTF-8"),
        ('{"user_id": "U"}'.encode("utf-16"), "bad_json", "it is not UTF-8"),
        (b"\xef\xbb\xbf{}", "bad_json", "expected JSON"),
        (b"[" * 60_000, "bad_json", "nested too deeply"),
        (b'{"user_id":' * 5_000, "bad_json", "nested too deeply"),
        (b'[{"user_id": "U"}]', "bad_request", "expected a JSON object, found an array"),
        (b'"U"', "bad_request", "found text"),
        (b"null", "bad_request", "found null"),
        (b"true", "bad_request", "found true or false"),
        (b"1.5", "bad_request", "found a number"),
        (b"{}", "bad_request", 'Expected {"user_id": "…"} or {"all": true}'),
        (b'{"all": false}', "bad_request", "Whom?"),
        (b'{"user_id": "U", "all": true}', "bad_request", "found both"),
        (b'{"all": true, "force": true}', "bad_request", "force: expected together with user_id"),
        (b'{"user_id": ""}', "bad_request", "user_id: expected an id that is not empty"),
        (b'{"user_id": null}', "bad_request", "user_id: expected text or an integer, found null"),
        (b'{"user_id": true}', "bad_request", "user_id: expected text or an integer, found true"),
        (b'{"user_id": 1.0}', "bad_request", "found 1.0"),
        (b'{"user_id": ["U"]}', "bad_request", "found an array"),
        (b'{"user_id": "\\ud800"}', "bad_request", "without lone surrogates"),
        (b'{"user_id": "%s"}' % (b"x" * 2701), "bad_request", "at most 2700 characters"),
        (b'{"user_id": "U", "force": "yes"}', "bad_request", 'expected true or false, found "yes"'),
        (b'{"user_id": "U", "dry_run": 1}', "bad_request", "expected true or false, found 1"),
        (b'{"all": "true"}', "bad_request", "all: expected true or false"),
        (b'{"userId": "U"}', "bad_request", "userId: unknown field, expected user_id or all"),
        (b'{"user_id": "U", "everyone": true}', "bad_request", "everyone: unknown field"),
        (b'{"user_id": "U", "\\ud800": 1}', "bad_json", "a key holds a lone surrogate"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else None,
)
async def test_a_wrong_body_is_told_what_is_wrong_with_it(
    served: Served, raw: bytes, code: str, words: str
) -> None:
    status, error = await send(served, raw)
    assert (status, error["code"]) == (400, code)
    assert words in error["message"]
    assert len(error["message"]) < 400
    assert served.commands.asked == []


async def test_every_mistake_is_told_at_once(served: Served) -> None:
    _, error = await send(served, b'{"user_id": true, "force": 1, "x": 2}')
    assert all(f"{field}: " in error["message"] for field in ("user_id", "force", "x"))


async def test_no_depth_of_nesting_makes_the_server_fail(served: Served) -> None:
    for depth in range(700, 1050, 5):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            nested = opening * depth + b"1" + closing * depth
            assert (await send(served, b'{"user_id": %s}' % nested))[0] == 400


async def test_a_body_over_64_kib_is_refused(served: Served) -> None:
    status, error = await send(served, json.dumps({"user_id": "x" * 65_536}).encode())
    assert (status, error["code"]) == (413, "body_too_large")


async def test_a_body_of_exactly_64_kib_is_read(served: Served) -> None:
    raw = b'{"user_id": "U"}'.ljust(65_536)
    assert (await send(served, raw))[0] == 200


async def test_a_compressed_body_is_refused(served: Served) -> None:
    packed = gzip.compress(b'{"user_id": "U"}')
    status, error = await send(served, packed, headers=JSON | {"Content-Encoding": "gzip"})
    assert (status, error["code"]) == (415, "unsupported_media_type")
    assert (
        error["message"] == "Content-Encoding: expected none, found 'gzip'; send the body as it is."
    )
    assert served.commands.asked == []


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ("application/json; charset=utf-16", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("nonsense", 415),
    ],
)
async def test_only_json_is_taken(served: Served, content_type: str, status: int) -> None:
    found, _ = await send(served, b'{"user_id": "U"}', headers={"Content-Type": content_type})
    assert found == status


async def test_json_without_a_content_type_is_taken(served: Served) -> None:
    headers = ADMIN
    async with served.client.post(
        BACKFILL,
        data=b'{"user_id": "U"}',
        headers=headers,
        skip_auto_headers={"Content-Type"},
    ) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(b"", ""), (b"{}", ""), (b'{"reason": "deploy \\u00fc"}', "deploy ü")],
)
async def test_a_pause_may_have_a_reason(served: Served, raw: bytes, reason: str) -> None:
    async with served.client.post(PAUSE, data=raw, headers=ADMIN | JSON) as response:
        assert response.status == 200
        assert await response.json() == {"paused": True, "reason": reason}
    assert served.commands.asked == [("pause", reason)]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"reason": 1}',
        b'{"reason": null}',
        b'{"reason": "\\u0000"}',
        b'{"reason": "\\udfff"}',
        b'{"reason": "%s"}' % (b"x" * 1001),
        b'{"why": "x"}',
    ],
)
async def test_a_reason_that_can_not_be_kept_is_refused(served: Served, raw: bytes) -> None:
    status, error = await send(served, raw, path=PAUSE)
    assert (status, error["code"]) == (400, "bad_request")
    assert served.commands.asked == []


async def test_resuming_takes_no_arguments(served: Served) -> None:
    async with served.client.post("/api/healing/resume", headers=ADMIN) as response:
        assert await response.json() == {"paused": False, "suspended": False}
    status, _ = await send(served, b'{"reason": "x"}', path="/api/healing/resume")
    assert status == 400
    assert served.commands.asked == [("resume",)]


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800")
_DOCUMENTS = st.dictionaries(
    st.sampled_from(["user_id", "all", "force", "dry_run"]) | st.text(),
    st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    max_size=5,
)
_BODIES = st.binary() | _DOCUMENTS.map(lambda document: json.dumps(document).encode())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=_BODIES)
async def test_no_body_whatever_makes_the_server_fail(served: Served, raw: bytes) -> None:
    status, error = await send(served, raw)
    assert status in {200, 202, 400}
    assert (status == 400) == bool(error)


async def test_nothing_is_read_from_a_stranger() -> None:
    async with serving() as served, served.client.post(BACKFILL, data=b"{") as response:
        assert response.status == 401


async def test_a_notification_may_hold_as_many_alerts_as_a_group_has(served: Served) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "ConservatorLegacyUntracked", "instance": "gallery-db"},
        "annotations": {"summary": "Old artworks are shown again. " * 20},
        "startsAt": "2026-01-31T12:00:00Z",
        "fingerprint": "c4f7a1b2d3e4f506",
    }
    for alerts, expected in ((120, 200), (1000, 200), (2000, 413)):
        body = BytesIO(json.dumps({"version": "4", "alerts": [alert] * alerts}).encode())
        headers = bearer("the-alert") | {"Content-Type": "application/json"}
        async with served.client.post("/api/alerts", data=body, headers=headers) as response:
            assert response.status == expected, await response.text()
            answer = await response.json()
        if expected == 200:
            assert answer["firing"] == alerts
    assert served.commands.asked == [("wake_loop",)] * 2
