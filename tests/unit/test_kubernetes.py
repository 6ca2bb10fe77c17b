"""deploy/kubernetes: valid against the schemas of every kind, and of one mind with the service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from exporters.http.routes import ROUTES
from monitor.config import Mode, Server, parse_config
from monitor.deadlines import CANCEL_SECONDS, DRAIN_SECONDS, LEAVE_SECONDS, RELEASE_SECONDS
from tests.support.grafana import DASHBOARDS, JOB

ROOT = Path(__file__).parents[2]
BASE = ROOT / "deploy" / "kubernetes"
SCHEMAS = ROOT / "tests" / "schemas" / "prometheus_operator"
OPERATOR = "monitoring.coreos.com/v1"
VERSIONS = ("1.29", kubernetes_validate.latest_version())
"""The oldest that it is meant for, and the newest that the schemas know."""
NOT_PART_OF_IT = {"config.yaml", "kustomization.yaml", "secret.example.yaml"}
NAME = {"app.kubernetes.io/name": "conservator"}
RESIDENT_MB = 100
"""docs/performance.md: the goal for the service's memory."""
LARGEST_CONFIG_MAP = 1024**2
Json = dict[str, Any]


def read(name: str) -> Json:
    loaded = yaml.safe_load((BASE / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def manifests() -> dict[str, Json]:
    """Every file that the base names, as it stands there."""
    names = [name for name in read("kustomization.yaml")["resources"] if name.endswith(".yaml")]
    return {name: read(name) for name in names}


@cache
def rendered() -> tuple[Json, ...]:
    """What would be applied."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: what kustomize makes of the base is not looked at")
    done = subprocess.run(
        ["kubectl", "kustomize", str(BASE)], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return tuple(yaml.safe_load_all(done.stdout))


def mistakes(document: Json, version: str) -> list[str]:
    """What the schema of its kind says against it."""
    if document["apiVersion"] == OPERATOR:
        schema = json.loads((SCHEMAS / f"{document['kind']}.json").read_text(encoding="utf-8"))
        return [one.message for one in Draft202012Validator(schema).iter_errors(document)]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def pod() -> Json:
    spec = read("deployment.yaml")["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def container() -> Json:
    [one] = pod()["containers"]
    assert isinstance(one, dict)
    return one


def probes() -> Iterator[tuple[str, Json]]:
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield name, container()[name]["httpGet"]


def test_the_base_names_every_file_that_there_is() -> None:
    there = {path.name for path in BASE.glob("*.yaml")}
    assert set(manifests()) == there - NOT_PART_OF_IT
    assert {one["kind"] for one in manifests().values()} == {
        "Deployment", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service",
        "ServiceAccount", "ServiceMonitor",
    }  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version: str) -> None:
    for document in (*manifests().values(), read("secret.example.yaml")):
        assert mistakes(document, version) == [], document["kind"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_applied_is_valid(version: str) -> None:
    for document in rendered():
        assert mistakes(document, version) == [], document["kind"]


def test_a_mistyped_key_of_any_kind_is_found() -> None:
    for document in manifests().values():
        below = "metadata" if document["kind"] == "ServiceAccount" else "spec"
        wrong = {**document, below: {**document[below], "replica": 2}}
        assert mistakes(wrong, VERSIONS[-1]), document["kind"]


def test_what_is_applied_has_the_configuration_the_dashboards_and_this_version() -> None:
    by_kind: dict[str, list[Json]] = {}
    for document in rendered():
        by_kind.setdefault(document["kind"], []).append(document)
    maps = {one["metadata"]["name"]: one for one in by_kind["ConfigMap"]}
    [configured] = [name for name in maps if name.startswith("conservator-config-")]
    [deployment] = by_kind["Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    assert {"name": configured} in [one.get("configMap") for one in spec["volumes"]]
    shown = [one for name, one in maps.items() if name != configured]
    assert {json.loads(text)["uid"] for one in shown for text in one["data"].values()} == {
        one["uid"] for one in DASHBOARDS
    }
    for one in shown:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(json.dumps(one)) < LARGEST_CONFIG_MAP
    [running] = spec["containers"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert running["image"] == f"conservator:{project['version']}"


def test_ports_are_those_of_the_service() -> None:
    [port] = container()["ports"]
    assert port["containerPort"] == Server.model_fields["port"].default
    assert f"EXPOSE {port['containerPort']}" in (ROOT / "deploy/Dockerfile").read_text()
    [service] = read("service.yaml")["spec"]["ports"]
    assert (service["port"], service["targetPort"]) == (port["containerPort"], port["name"])
    assert {get["port"] for _, get in probes()} == {port["name"]}
    [endpoint] = read("servicemonitor.yaml")["spec"]["endpoints"]
    assert endpoint["port"] == service["name"]
    [rule] = read("networkpolicy.yaml")["spec"]["ingress"]
    assert [one["port"] for one in rule["ports"]] == [port["name"]]


def test_paths_are_those_of_the_service() -> None:
    paths = {route.path for route in ROUTES if route.method == "GET"}
    [endpoint] = read("servicemonitor.yaml")["spec"]["endpoints"]
    assert {endpoint["path"], *(get["path"] for _, get in probes())} <= paths
    # A database that is away must not have pods restarted.
    assert dict(probes())["livenessProbe"]["path"] == "/healthz"


def test_everything_that_selects_selects_the_pods() -> None:
    deployment = read("deployment.yaml")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert labels == NAME
    selected = [
        deployment["selector"]["matchLabels"],
        read("service.yaml")["spec"]["selector"],
        read("poddisruptionbudget.yaml")["spec"]["selector"]["matchLabels"],
        read("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in pod()["topologySpreadConstraints"]),
    ]
    assert selected == [labels] * len(selected)
    # The monitor selects the service, whose label is the job that the rules ask for.
    monitor = read("servicemonitor.yaml")["spec"]
    of_service = read("service.yaml")["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"] == of_service
    assert of_service[monitor["jobLabel"]] == JOB


def test_every_file_that_the_configuration_names_is_mounted(tmp_path: Path) -> None:
    mounts = {one["name"]: one["mountPath"] for one in container()["volumeMounts"]}
    volumes = {one["name"]: one for one in pod()["volumes"]}
    assert set(mounts) == set(volumes)
    assert mounts["tmp"] == "/tmp"
    assert f'"{mounts["config"]}/config.yaml"' in (ROOT / "deploy/Dockerfile").read_text()
    secret = read("secret.example.yaml")
    assert volumes["secrets"]["secret"]["secretName"] == secret["metadata"]["name"]
    given = (BASE / "config.yaml").read_text(encoding="utf-8")
    environ = {one["name"]: one["value"] for one in container()["env"]}
    folder = mounts["secrets"]
    named = re.findall(rf"{folder}/([\w.]+)", given + environ["PGSERVICEFILE"])
    assert set(named) == set(secret["stringData"])


def test_the_configuration_is_one_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in read("secret.example.yaml")["stringData"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    # libpq reads it.
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "pg_service.conf"))
    given = (BASE / "config.yaml").read_text(encoding="utf-8")
    settings = parse_config(
        given.replace("/run/secrets/conservator", str(tmp_path)),
        {}, source="config.yaml", base_dir=tmp_path,
    )  # fmt: skip
    assert settings.healing.mode is Mode.OBSERVE
    assert settings.server.host == "0.0.0.0"


def test_nothing_runs_as_root_or_writes_to_its_root() -> None:
    of_pod, own = pod()["securityContext"], container()["securityContext"]
    [user] = re.findall(r"^USER (\d+):\1$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert of_pod["runAsNonRoot"]
    assert {of_pod["runAsUser"], of_pod["runAsGroup"], of_pod["fsGroup"]} == {int(user)}
    assert own["readOnlyRootFilesystem"]
    assert not own["allowPrivilegeEscalation"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not pod()["automountServiceAccountToken"]
    # What is secret is for the pod's group alone.
    assert pod()["volumes"][1]["secret"]["defaultMode"] == 0o440
    writable = [one["name"] for one in container()["volumeMounts"] if not one.get("readOnly")]
    assert writable == ["tmp"]


def test_it_is_given_the_time_and_the_memory_that_it_takes() -> None:
    [_, seconds] = container()["lifecycle"]["preStop"]["exec"]["command"]
    ends = DRAIN_SECONDS + CANCEL_SECONDS + RELEASE_SECONDS + LEAVE_SECONDS
    assert pod()["terminationGracePeriodSeconds"] >= int(seconds) + ends
    of = container()["resources"]
    assert int(of["requests"]["memory"].removesuffix("Mi")) >= RESIDENT_MB
    assert f"≤ {RESIDENT_MB} MB" in (ROOT / "docs/performance.md").read_text(encoding="utf-8")


def test_a_drained_node_leaves_one_of_two() -> None:
    replicas = read("deployment.yaml")["spec"]["replicas"]
    assert 1 <= read("poddisruptionbudget.yaml")["spec"]["minAvailable"] < replicas
