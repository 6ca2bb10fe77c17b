"""A plain HTTP client, as curl is one, and the reading of an exposition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from prometheus_client.parser import text_string_to_metric_families

_OPENER = build_opener(ProxyHandler({}))
_PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Answer:
    """A response, whatever its status."""

    status: int
    headers: Mapping[str, str]
    text: str

    @cached_property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["error"]["code"])


@dataclass(frozen=True)
class Client:
    """Calls one service with one token, or none."""

    address: str
    token: str | None = None

    def get(self, path: str, **headers: str) -> Answer:
        """GET `path`, which has no leading slash."""
        return self._call(Request(self.address + path, headers=self._with_token(headers)))

    def post(self, path: str, body: object = None) -> Answer:
        """POST `body` as JSON; None posts nothing."""
        data = b"" if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self._call(Request(self.address + path, data, self._with_token(kind)))

    def metrics(self) -> dict[str, float]:
        """The samples of a scrape by name and labels, as they are written there."""
        return samples(self.get("metrics").text)

    def _with_token(self, headers: dict[str, str]) -> dict[str, str]:
        return headers | ({"Authorization": f"Bearer {self.token}"} if self.token else {})

    def _call(self, request: Request) -> Answer:
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as response:
                return Answer(response.status, dict(response.headers), response.read().decode())
        except HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode())


def samples(exposition: str) -> dict[str, float]:
    """Every sample of a Prometheus text, as `name{label="value"}`."""
    found = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found
