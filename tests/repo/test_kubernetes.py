"""The manifests of deploy/kubernetes are valid, and say what the image and the service are."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lightmodel.config import ServeSection, load
from lightmodel.service import create_app
from tests.fakes.project import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.29", kubernetes_validate.latest_version()


def document(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return content


KUSTOMIZATION = document("kustomization.yaml")
DEPLOYMENT = document("deployment.yaml")["spec"]
POD = DEPLOYMENT["template"]["spec"]
(SERVER,) = POD["containers"]


def settings() -> dict[str, str]:
    lines = (FOLDER / "settings.properties").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def serve_stage() -> str:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return text.partition("\nFROM base AS serve\n")[2]


def test_every_file_is_part_of_the_base() -> None:
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    named = {*KUSTOMIZATION["resources"], *generated["envs"], "kustomization.yaml"}
    assert named == {path.name for path in FOLDER.iterdir()}
    known = {"apiVersion", "kind", "resources", "images", "configMapGenerator"}
    assert KUSTOMIZATION.keys() == known


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", KUSTOMIZATION["resources"])
def test_a_manifest_is_valid_by_the_published_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(document(name), version, strict=True)


def test_all_speak_of_the_same_pods() -> None:
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    (spread,) = POD["topologySpreadConstraints"]
    selectors = (
        DEPLOYMENT["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
        document("service.yaml")["spec"]["selector"],
        document("disruption-budget.yaml")["spec"]["selector"]["matchLabels"],
    )
    assert all(selector == labels for selector in selectors)
    target = document("autoscaler.yaml")["spec"]["scaleTargetRef"]
    deployment = document("deployment.yaml")
    assert target == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }


def test_the_image_is_named_in_one_place() -> None:
    (image,) = KUSTOMIZATION["images"]
    assert SERVER["image"] == image["name"]  # without a tag: kustomize would leave it there
    assert image["newTag"] not in {"", "latest"}
    tagged = [path.name for path in FOLDER.iterdir() if image["newName"] in path.read_text("utf-8")]
    assert tagged == ["kustomization.yaml"]


def test_the_port_is_the_services() -> None:
    (port,) = SERVER["ports"]
    (published,) = document("service.yaml")["spec"]["ports"]
    annotations = DEPLOYMENT["template"]["metadata"]["annotations"]
    exposed = re.findall(r"^EXPOSE (\d+)$", serve_stage(), re.MULTILINE)
    assert [str(port["containerPort"])] == exposed == [str(ServeSection().port)]
    assert str(published["port"]) == annotations["prometheus.io/port"] == exposed[0]
    probes = [
        SERVER[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")
    ]
    assert {published["targetPort"], *probes} == {port["name"]}


def test_probes_ask_routes_that_exist_and_need_no_key(tmp_path: Path) -> None:
    keys = {"LIGHTMODEL__SERVE__API_KEYS": "k"}
    config = load(None, [f"store.root={tmp_path}", "log.sink=none"], keys).config
    client = create_app(config).test_client()
    paths = {
        kind: SERVER[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }
    answers = {kind: client.get(path).status_code for kind, path in paths.items()}
    # There is no model here: such a pod gets no requests, and once it has started, it goes on.
    assert answers == {"startup": 503, "readiness": 503, "liveness": 200}
    metrics = DEPLOYMENT["template"]["metadata"]["annotations"]["prometheus.io/path"]
    assert client.get(metrics, headers={"X-API-Key": "k"}).status_code == 200


def test_the_user_is_the_images_and_may_nothing() -> None:
    ((user, group),) = re.findall(r"^USER (\d+):(\d+)$", serve_stage(), re.MULTILINE)
    pod = POD["securityContext"]
    assert (str(pod["runAsUser"]), str(pod["runAsGroup"])) == (user, group)
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert SERVER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False


def test_what_the_service_writes_is_a_volume_and_nothing_else_is_covered() -> None:
    (made,) = re.findall(r"^RUN install -d -m 2775 (.+)$", serve_stage(), re.MULTILINE)
    folders = {f"/app/{name}" for name in made.split() if "/" in name}
    environment = dict(re.findall(r"(LIGHTMODEL__\w+)=(\S+)", serve_stage()))
    needed = {environment["LIGHTMODEL__STORE__WORK"], environment["LIGHTMODEL__LOG__FOLDER"]}
    assert folders == needed
    mounts = {one["mountPath"]: one["name"] for one in SERVER["volumeMounts"]}
    assert mounts.keys() == {*folders, "/tmp"}
    volumes = {one["name"]: one["emptyDir"]["sizeLimit"] for one in POD["volumes"]}
    assert sorted(mounts.values()) == sorted(volumes)


def test_settings_are_settings_of_the_service_and_no_file_holds_a_secret() -> None:
    config = load(None, [], settings()).config  # an unknown name is an error
    given = {name.removeprefix("LIGHTMODEL__").lower().replace("__", ".") for name in settings()}
    assert given == {"serve.proxies", "serve.replicas", "log.sink"}
    autoscaler = document("autoscaler.yaml")["spec"]
    assert config.serve.replicas == autoscaler["minReplicas"] < autoscaler["maxReplicas"]
    assert document("disruption-budget.yaml")["spec"]["maxUnavailable"] < autoscaler["minReplicas"]
    assert "replicas" not in DEPLOYMENT
    kinds = {document(name)["kind"] for name in KUSTOMIZATION["resources"]}
    assert "Secret" not in kinds
    generated, secret = SERVER["envFrom"]
    assert generated["configMapRef"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    guide = (ROOT / "docs" / "guide" / "replicas.md").read_text(encoding="utf-8")
    assert f"kubectl create secret generic {secret['secretRef']['name']} " in guide
    assert "env" not in SERVER


def test_a_pod_ends_its_requests_before_it_is_killed() -> None:
    name, pause = SERVER["lifecycle"]["preStop"]["exec"]["command"]
    assert name == "sleep"
    least = int(pause) + ServeSection().graceful_timeout_s
    assert POD["terminationGracePeriodSeconds"] > least
    rolling = DEPLOYMENT["strategy"]["rollingUpdate"]
    assert (rolling["maxUnavailable"], rolling["maxSurge"]) == (0, 1)
