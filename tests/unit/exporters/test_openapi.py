"""The description of the API: complete, valid, and true of routes, tokens and bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from exporters.http.auth import Access, Role, Tokens, refusal
from exporters.http.parsing import JSON
from exporters.http.routes import ROUTES
from tests.support.openapi import CALLS, META_SCHEMA, document, operations, validator
from tests.unit.exporters.serving import ADMIN, ALL_TOKENS, BACKFILL, Served, serving

DESCRIPTION = "/api/openapi.json"
ALERTS = "/api/alerts"
SCHEMES = {
    Role.ADMIN: "adminToken",
    Role.APP: "appToken",
    Role.ALERT: "alertToken",
    Role.READ: "readToken",
}


async def test_every_route_is_described_and_every_description_has_a_route(served: Served) -> None:
    assert served.client.app is not None
    routed = {
        (route.method, route.resource.canonical)
        for route in served.client.app.router.routes()
        if route.resource is not None
    }
    described = {(method, path) for method, path, _ in operations(document())}
    assert described == set(CALLS)
    assert len(CALLS) == len(ROUTES)
    # The document says once that every GET answers HEAD, too.
    assert routed == described | {("HEAD", path) for method, path in described if method == "GET"}


def test_the_document_is_openapi_3_1() -> None:
    official = Draft202012Validator(META_SCHEMA)
    assert [error.message for error in official.iter_errors(document())] == []
    wrong = {**document(), "paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert not official.is_valid(wrong)


def test_its_schemas_are_json_schema_and_all_of_them_are_referred_to() -> None:
    text = json.dumps(document())
    for name, schema in document()["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text
        assert schema.get("description") or "enum" in schema, name


def test_every_call_says_what_it_is_for_under_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations(document())]
    assert len(set(names)) == len(names) == len(ROUTES)
    tags = {tag["name"] for tag in document()["tags"]}
    for _, path, operation in operations(document()):
        assert operation["summary"]
        assert operation["description"].endswith(".")
        assert set(operation["tags"]) <= tags
        in_path = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert [f"{{{name}}}" for name in in_path] == [
            part for part in path.split("/") if part.startswith("{")
        ]


def examples(operation: dict[str, Any]) -> Iterator[tuple[bool, Any, Any]]:
    """Whether it is an answer, its schema, and the example."""
    for reply in operation["responses"].values():
        for content in reply.get("content", {}).values():
            for one in content.get("examples", {}).values():
                yield True, content["schema"], one["value"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for one in content["examples"].values():
            yield False, content["schema"], one["value"]
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            yield False, parameter["schema"], parameter["example"]


def test_every_example_is_what_it_is_an_example_of() -> None:
    tried = 0
    for method, path, operation in operations(document()):
        for answered, schema, value in examples(operation):
            tried += 1
            found = validator(schema, closed=answered).iter_errors(value)
            assert [error.message for error in found] == [], (method, path)
        replies = [reply.get("content", {}) for reply in operation["responses"].values()]
        answers = [content[JSON] for content in replies if JSON in content]
        assert all(answer.get("examples") for answer in answers if path != DESCRIPTION)
    assert tried > 50


@pytest.mark.parametrize("reads_need_token", [False, True])
@pytest.mark.parametrize("access", Access)
def test_the_tokens_that_a_call_names_are_those_that_it_takes(
    access: Access, reads_need_token: bool
) -> None:
    tokens = ALL_TOKENS if reads_need_token else Tokens("the-admin", "the-app", "the-alert")
    [security, *_] = [
        operation["security"]
        for method, path, operation in operations(document(reads_need_token=reads_need_token))
        if CALLS[method, path].access is access
    ]
    named = {name for scheme in security for name in scheme}
    if access is Access.PUBLIC:
        assert security == []
        return
    for role, scheme in SCHEMES.items():
        if role is not Role.READ or reads_need_token:
            assert (scheme in named) == (refusal(access, role, tokens) is None), role
    assert ({} in security) == (refusal(access, Role.STRANGER, tokens) is None)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.just("\x00")
_VALUES = st.none() | st.booleans() | st.integers(-3, 3) | _TEXT | st.lists(_TEXT, max_size=1)
_IDS = st.sampled_from(["", "U", "x" * 2700, "x" * 2701]) | _VALUES
_ALERT = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["firing", "resolved", "pending"]),
        "labels": st.dictionaries(_TEXT, _TEXT | st.integers(), max_size=2),
        "startsAt": st.sampled_from(
            ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+01:00", "2026-01-31T12:00:00", "x", 1]
        ),
        "fingerprint": _TEXT | st.none(),
    },
    optional={"more": _VALUES},
)
_DOCUMENTS = {
    BACKFILL: st.fixed_dictionaries(
        {},
        optional={
            "user_id": _IDS,
            "all": _VALUES,
            "force": _VALUES,
            "dry_run": _VALUES,
            "x": _TEXT,
        },
    ),
    "/api/runs/{run_id}/undo": st.fixed_dictionaries({}, optional={"dry_run": _VALUES, "x": _TEXT}),
    "/api/healing/pause": st.fixed_dictionaries(
        {}, optional={"reason": _IDS | st.sampled_from(["x" * 1000, "x" * 1001]), "x": _TEXT}
    ),
    "/api/healing/resume": st.dictionaries(_TEXT | st.just("repair"), _VALUES, max_size=1),
    "/api/healing/reset-breaker": st.dictionaries(_TEXT | st.just("repair"), _VALUES, max_size=1),
    "/api/repairs/{name}": st.fixed_dictionaries({}, optional={"dry_run": _VALUES, "x": _TEXT}),
    ALERTS: st.fixed_dictionaries(
        {
            "version": st.sampled_from(["4", "3", 4]),
            "alerts": st.lists(_ALERT, max_size=2) | _VALUES,
        },
        optional={"more": _VALUES},
    ),
}


def test_every_call_that_takes_a_body_is_tried_with_bodies() -> None:
    assert set(_DOCUMENTS) == {path for method, path in CALLS if method == "POST"}


@pytest.mark.parametrize("path", _DOCUMENTS)
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(body={"user_id": "U", "all": False, "force": True})
@example(body={"all": True, "force": False})
@example(body={"all": True, "force": True})
@example(body={"user_id": "U", "all": True})
@given(body=st.data())
async def test_a_call_takes_the_bodies_that_its_schema_describes_and_no_others(
    served: Served, path: str, body: Any
) -> None:
    sent = body if isinstance(body, dict) else body.draw(_DOCUMENTS[path])
    content = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    fits = validator(content["schema"]).is_valid(sent)
    address = path.format(run_id=12, name="orphans")
    async with served.client.post(address, json=sent, headers=ADMIN) as response:
        assert (response.status != 400) == fits, await response.text()


async def test_the_description_is_served_with_a_tag_and_not_sent_twice(served: Served) -> None:
    async with served.client.get(DESCRIPTION, headers=ADMIN) as response:
        assert response.status == 200
        assert await response.json() == document(reads_need_token=True)
        assert response.headers["Cache-Control"] == "private, no-cache"
        tag = response.headers["ETag"]
    for known, status in (
        (tag, 304),
        (f"W/{tag}", 304),
        (f'"x", {tag}', 304),
        ("*", 304),
        ('"x"', 200),
        ("x", 200),
    ):
        headers = ADMIN | {"If-None-Match": known}
        async with served.client.get(DESCRIPTION, headers=headers) as response:
            assert (response.status, response.headers["ETag"]) == (status, tag), known
            assert bool(await response.text()) == (status == 200)


async def test_a_description_for_an_installation_whose_reads_are_open_says_so() -> None:
    async with (
        serving(Tokens(admin="the-admin")) as served,
        served.client.get(DESCRIPTION) as response,
    ):
        described = await response.json()
    assert described == document(reads_need_token=False) != document(reads_need_token=True)
    assert {} in described["paths"]["/api/checks"]["get"]["security"]


@pytest.mark.parametrize("path", ["/runbooks/ConservatorDown"])
async def test_a_runbook_that_the_browser_has_is_not_sent_again(served: Served, path: str) -> None:
    async with served.client.get(path, headers=ADMIN) as response:
        tag = response.headers["ETag"]
    async with served.client.get(path, headers=ADMIN | {"If-None-Match": tag}) as response:
        assert response.status == 304
        assert response.headers["Content-Security-Policy"]


async def test_what_changes_is_never_stored(served: Served) -> None:
    for method, path in CALLS:
        if method == "GET" and path not in {DESCRIPTION, "/runbooks/{name}"}:
            url = path.format(name="census", run_id=12, user_id="U")
            async with served.client.get(url, headers=ADMIN) as response:
                assert response.headers["Cache-Control"] == "no-store", path


@pytest.mark.parametrize(
    ("method", "path"),
    [key for key in CALLS if key[1].startswith("/api/") and key != ("POST", ALERTS)],
)
async def test_no_parameter_is_overlooked(served: Served, method: str, path: str) -> None:
    url = f"{path.format(name='census', run_id=12)}?limti=1"
    async with served.client.request(method, url, headers=ADMIN, json=None) as response:
        assert response.status == 400
        assert "limti: unknown parameter" in (await response.json())["error"]["message"]
    assert served.commands.asked == []
