"""Notifications that Alertmanager never sent, for /api/alerts."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st

from exporters.http.errors import MAX_NOTIFICATION_BYTES
from tests.fuzz.documents import VALUES, Draw, damaged, several
from tests.support.openapi import document, mistakes, validator

PATH = "/api/alerts"
_PATIENCE = 30.0  # seconds
_ALERT = {
    "status": "firing",
    "labels": {"alertname": "ConservatorLegacyUntracked", "severity": "warning"},
    "annotations": {"summary": "6 pairs"},
    "startsAt": "2026-01-31T12:00:00.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "c4f7a1b2d3e4f506",
}
_NOTIFICATION = {
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "conservator",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager",
    "alerts": [_ALERT, {**_ALERT, "status": "resolved"}],
}
_PIECES = (
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\u0000", b"\\ud800", b"NaN", b"-Infinity"),
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"9" * 5_000, b"[" * 5_000, b'{"a":' * 2_000),
    *(b'"alerts": [],', b'"version": "4",', b"null", b"0001-01-01T00:00:00Z"),
    *(b"2026-01-31T23:59:60Z", b"9999-12-31T23:59:59-23:59", b"x" * MAX_NOTIFICATION_BYTES),
)


@st.composite
def notifications(draw: Draw) -> bytes:
    """A body that was a notification, or never was one."""
    if draw(st.integers(0, 9)) == 0:
        return json.dumps(draw(VALUES)).encode()
    text = json.dumps(several(_NOTIFICATION, draw)).encode()
    return damaged(text, draw, _PIECES) if draw(st.booleans()) else text


@dataclass
class Webhook:
    """Hands notifications in, over one connection for as long as the service keeps it."""

    address: str
    token: str
    _connection: http.client.HTTPConnection | None = None

    def try_notification(self, body: bytes) -> bool:
        """Whether it is taken. AssertionError where the answer is not as it should be."""
        status, headers, text = self._post(body)
        assert mistakes("POST", PATH, status, headers, text) == []
        assert status in {200, 400, 413}, text
        if len(body) <= MAX_NOTIFICATION_BYTES and (parsed := _parsed(body)) is not None:
            # What JSON readers agree about is taken if, and only if, the description says so.
            assert (status == 200) == _SCHEMA.is_valid(parsed), text
        return status == 200

    def _post(self, body: bytes) -> tuple[int, dict[str, str], str]:
        connection = self._connection or http.client.HTTPConnection(
            urlsplit(self.address).netloc, timeout=_PATIENCE
        )
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request("POST", PATH, body, headers)
        with connection.getresponse() as response:
            text = response.read().decode()
            self._connection = None if response.will_close else connection
            return response.status, dict(response.headers), text


_SCHEMA = validator(
    document()["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]["schema"]
)


def _parsed(body: bytes) -> Any:
    """The document; None where readers of JSON may differ about it, or it is a corner of dates."""
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_once)
        json.dumps(found).encode().decode("unicode-escape").encode()
    except (ValueError, RecursionError):
        return None
    return found


def _refuse(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)
