"""deploy/kubernetes: what a pod may do, who reaches whom, and that selectors mean the pods that they are for."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from attemptlog.console import probes
from attemptlog.console.app import API
from attemptlog.ingest_api.door import INGEST_PATH
from tests.support.deployment import PAGE, PODS, RENDERED
from tests.support.documents import ROOT, blocks
from tests.support.kustomize import Manifest
from tests.support.manifests import COMPONENT, Pod, of_kind, selects
from tests.support.prometheus import promtool

BASE, EXAMPLE = PODS["base"], PODS["example"]
SERVICES = ["gateway", "consumer", "exporter", "console"]
EVERY_POD = [pytest.param(pod, id=f"{name}-{part}") for name, pods in PODS.items() for part, pod in pods.items()]


@pytest.mark.parametrize("pod", EVERY_POD)
def test_a_pod_has_no_privileges(pod: Pod) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    of_pod = pod.spec["securityContext"]
    assert (of_pod["runAsUser"], of_pod["runAsGroup"]) == (int(user[1]), int(user[2]))
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod.spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize("pod", EVERY_POD)
def test_no_service_of_the_namespace_is_taken_for_a_setting(pod: Pod) -> None:
    assert pod.spec["enableServiceLinks"] is False


def test_the_exporter_can_write_where_it_writes() -> None:
    pod = BASE["exporter"]
    directory = pod.maps(RENDERED["base"])["ATTEMPTLOG_EXPORT_PARQUET_DIRECTORY"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod.container["volumeMounts"]}
    [claim] = pod.workload["spec"]["volumeClaimTemplates"]
    assert directory.startswith(f"{mounts[claim['metadata']['name']]}/")
    assert "emptyDir" in next(volume for volume in pod.spec["volumes"] if mounts[volume["name"]] == "/tmp")  # noqa: S108
    assert pod.spec["securityContext"]["fsGroup"] == pod.spec["securityContext"]["runAsGroup"]
    assert pod.workload["spec"]["replicas"] == 1


def meant_by(selector: dict[str, Any], pods: dict[str, Pod] = BASE) -> list[str]:
    return [part for part, pod in pods.items() if selects(selector, pod.labels)]


@pytest.mark.parametrize("part", ["gateway", "consumer", "console"])
def test_a_drain_takes_one_pod_at_a_time(part: str) -> None:
    budget = of_kind(RENDERED["base"], "PodDisruptionBudget")[f"attemptlog-{part}"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert meant_by(budget["selector"]) == [part]


def test_the_gateway_has_as_many_pods_as_its_cpu_asks_for() -> None:
    scaler = of_kind(RENDERED["base"], "HorizontalPodAutoscaler")["attemptlog-gateway"]["spec"]
    gateway = BASE["gateway"].workload
    assert scaler["scaleTargetRef"] == {
        "apiVersion": gateway["apiVersion"],
        "kind": gateway["kind"],
        "name": gateway["metadata"]["name"],
    }
    assert "replicas" not in gateway["spec"], "each `kubectl apply` would undo what it has scaled"
    assert scaler["minReplicas"] >= 2


@pytest.mark.parametrize("part", SERVICES)
def test_a_service_leads_to_its_pods(part: str) -> None:
    service = of_kind(RENDERED["base"], "Service")[f"attemptlog-{part}"]["spec"]
    assert meant_by({"matchLabels": service["selector"]}) == [part]
    assert [port["targetPort"] for port in service["ports"]] == ["http"]
    assert BASE[part].workload["spec"].get("serviceName", f"attemptlog-{part}") == f"attemptlog-{part}"


@pytest.mark.parametrize("pod", EVERY_POD)
def test_a_workload_selects_its_own_pods(pod: Pod) -> None:
    selector = pod.workload["spec"].get("selector")
    assert selector is None or meant_by(selector) == [pod.component]
    assert pod.workload["metadata"]["labels"] == pod.labels


def ways_in(part: str) -> list[tuple[str, str]]:
    """Return the paths that the example lets in, and how they are compared; fails where they lead elsewhere."""
    ingress = of_kind(RENDERED["example"], "Ingress")[f"attemptlog-{part}"]["spec"]
    ways = [way for rule in ingress["rules"] for way in rule["http"]["paths"]]
    service = of_kind(RENDERED["example"], "Service")[f"attemptlog-{part}"]
    for backend in (way["backend"]["service"] for way in ways):
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    return [(way["path"], way["pathType"]) for way in ways]


def test_only_events_come_in_from_outside() -> None:
    assert ways_in("gateway") == [(INGEST_PATH, "Exact")]


def test_the_consoles_pages_and_what_they_ask_come_in_from_outside_and_its_metrics_do_not() -> None:
    ways = ways_in("console")
    exact = {path for path, compared in ways if compared == "Exact"}
    below = tuple(f"{path.rstrip('/')}/" for path, compared in ways if compared == "Prefix")

    def comes_in(path: str) -> bool:
        return path in exact or path.startswith(below)

    public = {f"/{file.name}" for file in (ROOT / "console/pages/public").iterdir()}
    asked = {getattr(route, "path", "") for router in API for route in router.routes}
    assert all(map(comes_in, {"/", "/assets/index.js"} | public | asked))
    assert not any(comes_in(getattr(route, "path", "")) for route in probes.router.routes)


def policies(name: str) -> dict[str, dict[str, Any]]:
    return {key: it["spec"] for key, it in of_kind(RENDERED[name], "NetworkPolicy").items()}


def reaches(name: str, policy: str) -> dict[int, list[str]]:
    """Return the ports that a policy lets whom out to."""
    spec = policies(name)[policy]
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    return dict.fromkeys(ports, meant_by(spec["podSelector"], PODS[name]))


def test_what_is_not_allowed_is_denied() -> None:
    deny = policies("base")["attemptlog-deny"]
    assert meant_by(deny["podSelector"]) == list(BASE)
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert set(deny) == {"podSelector", "policyTypes"}
    assert meant_by(policies("base")["attemptlog-names"]["podSelector"]) == list(BASE)


@pytest.mark.parametrize("name", RENDERED)
def test_postgresql_is_reached_by_those_who_have_a_login_there(name: str) -> None:
    urls = {part: pod.maps(RENDERED[name]).get("ATTEMPTLOG_DATABASE_URL") for part, pod in PODS[name].items()}
    wanted = [part for part, url in urls.items() if url]
    ports = {int(str(conninfo_to_dict(url)["port"])) for url in urls.values() if url}
    assert reaches(name, "attemptlog-postgres") == dict.fromkeys(ports, wanted)


@pytest.mark.parametrize("name", RENDERED)
def test_kafka_is_reached_by_those_who_are_told_where_it_is(name: str) -> None:
    told = {
        part: pod.maps(RENDERED[name]).get("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS") for part, pod in PODS[name].items()
    }
    wanted = [part for part, servers in told.items() if servers]
    ports = {int(one.rpartition(":")[2]) for servers in told.values() if servers for one in servers.split(",")}
    assert reaches(name, "attemptlog-kafka") == dict.fromkeys(ports, wanted)


@pytest.mark.parametrize(("policy", "parts"), [("events", ["gateway"]), ("pages", ["console"]), ("metrics", SERVICES)])
def test_only_namespaces_that_are_labelled_come_in(policy: str, parts: list[str]) -> None:
    spec = policies("base")[f"attemptlog-{policy}"]
    assert meant_by(spec["podSelector"]) == parts
    [rule] = spec["ingress"]
    [source] = rule["from"]
    [(label, value)] = source["namespaceSelector"]["matchLabels"].items()
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert any(line.startswith("kubectl label ") and line.endswith(f" {label}={value}") for line in commands())


def test_nothing_else_is_allowed() -> None:
    assert policies("base").keys() == {
        f"attemptlog-{it}" for it in ("deny", "names", "postgres", "kafka", "events", "pages", "metrics")
    }
    assert policies("example").keys() == policies("base").keys()


def test_prometheus_finds_the_pods_as_the_page_says(tmp_path: Path) -> None:
    [text] = [block.text for block in blocks(PAGE) if block.language == "yaml"]
    config = yaml.safe_load(text)
    [job] = config["scrape_configs"]
    [where] = job.pop("kubernetes_sd_configs")  # which Debian's Prometheus is built without
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    promtool("check", "config", tmp_path / "prometheus.yml")

    label, _, value = where["selectors"][0]["label"].partition("=")
    assert where["namespaces"]["names"] == list(of_kind(RENDERED["example"], "Namespace"))
    assert meant_by({"matchLabels": {label: value}}) == list(BASE)
    assert [part for part, pod in BASE.items() if "ports" in pod.container] == SERVICES
    port, component, _ = job["relabel_configs"]
    assert (port["regex"], port["action"]) == ("http", "keep")
    assert component["source_labels"] == [f"__meta_kubernetes_pod_label_{re.sub(r'[./]', '_', COMPONENT)}"]


def commands() -> list[str]:
    return [line for block in blocks(PAGE) if block.language == "sh" for line in block.text.splitlines()]


def test_the_pages_commands_name_what_is_there() -> None:
    names = {f"{it['kind'].lower()}/{it['metadata']['name']}" for it in RENDERED["example"]}
    words = [word for line in commands() for word in shlex.split(line)]
    named = {word for word in words if re.match(r"(job|cronjob|statefulset|deployment)/attemptlog-", word)}
    assert len(named) >= 5
    assert named <= names
    deleted = next(shlex.split(line) for line in commands() if " delete job " in line)
    assert {f"job/{word}" for word in deleted if word.startswith("attemptlog-")} == {
        it for it in names if it[:4] == "job/"
    }
    assert {word for word in words if word.startswith("deploy/")} == {"deploy/kubernetes/example"}
    assert {words[n + 1] for n, word in enumerate(words) if word == "--namespace"} == {"attemptlog"}


def test_what_is_applied_first_is_all_but_the_services() -> None:
    [left_out] = [re.findall(r"component notin \((.*?)\)", line)[0] for line in commands() if " notin " in line]

    def is_first(manifest: Manifest) -> bool:
        return manifest["metadata"].get("labels", {}).get(COMPONENT) not in left_out.split(", ")

    first = [it for it in RENDERED["example"] if is_first(it)]
    assert left_out.split(", ") == SERVICES
    assert {it["kind"] for it in first} >= {"Namespace", "ConfigMap", "NetworkPolicy", "Job"}
    assert {it["kind"] for it in first}.isdisjoint({"Deployment", "StatefulSet", "HorizontalPodAutoscaler"})
