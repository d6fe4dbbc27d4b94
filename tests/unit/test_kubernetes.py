"""What can be said of deploy/kubernetes without a cluster: schemas allow it, and the code knows all that it names."""

import re
import socket
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import kubernetes_validate
import pytest
from prometheus_client import CollectorRegistry

from attemptlog.console import probes as console
from attemptlog.console import serve as console_server
from attemptlog.console.settings import ConsoleSettings
from attemptlog.consumer import app as consumer
from attemptlog.consumer.kafka import STOP_DEADLINE
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.exporter.front import serving
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.ingest_api.probes import router
from attemptlog.ingest_api.serve import GRACE
from attemptlog.ingest_api.settings import IngestSettings
from tests.support.commands import command_of, read_by, required_by, settings_of
from tests.support.deployment import KUBERNETES, PAGE, PODS, RENDERED
from tests.support.documents import ROOT, rows, table
from tests.support.kustomize import mappings
from tests.support.manifests import Pod, of_kind

OLDEST, NEWEST = "1.30", "1.37"
SERVICES = ("gateway", "consumer", "exporter", "console")
EVERY_POD = [pytest.param(name, part, id=f"{name}-{part}") for name, pods in PODS.items() for part in pods]
BASE, EXAMPLE = PODS["base"], PODS["example"]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", RENDERED)
def test_the_schemas_of_kubernetes_allow_it(name: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)  # they are read from files
    for manifest in RENDERED[name]:
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_the_schemas_refuse_a_word_that_is_not_theirs() -> None:
    [service, *_] = of_kind(RENDERED["base"], "Service").values()
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service | {"spec": {"selectors": {}}}, NEWEST, strict=True)


def test_the_page_names_the_versions_that_are_checked() -> None:
    said = PAGE.read_text()
    assert f"It is written for Kubernetes {OLDEST} or newer" in said
    assert f"the schemas of Kubernetes {OLDEST} and {NEWEST}" in said
    assert kubernetes_validate.latest_version().startswith(NEWEST)


def test_every_part_is_there() -> None:
    kinds = {part: pod.kind for part, pod in BASE.items()}
    assert kinds == {
        "gateway": "Deployment",
        "consumer": "StatefulSet",
        "exporter": "StatefulSet",
        "console": "Deployment",
        "migrate": "Job",
        "topics": "Job",
        "audit": "CronJob",
        "retention": "CronJob",
    }
    assert EXAMPLE.keys() == BASE.keys()


def environment(name: str, part: str) -> dict[str, str]:
    """Return what a container finds; a secret is 32 letters, and Kafka's login is there where it asks for one."""
    pod = PODS[name][part]
    given = pod.maps(RENDERED[name])
    has_login = "SASL" in given.get("ATTEMPTLOG_KAFKA_SECURITY_PROTOCOL", "")
    for variable, reference in pod.secrets.items():
        if has_login or not reference.get("optional"):
            given[variable] = "x" * 32
    return given | {name: "attemptlog-0" for name, entry in pod.named.items() if "fieldRef" in entry["valueFrom"]}


@pytest.mark.parametrize(("name", "part"), EVERY_POD)
def test_a_container_runs_a_command_that_exists(name: str, part: str) -> None:
    command, last_word, options = command_of(PODS[name][part].command)
    command.make_context(last_word, options)


@pytest.mark.parametrize(("name", "part"), EVERY_POD)
def test_a_container_is_given_what_its_command_reads_and_all_that_it_requires(name: str, part: str) -> None:
    pod = PODS[name][part]
    given = pod.maps(RENDERED[name]).keys() | pod.named.keys()
    assert required_by(pod.command) <= given <= read_by(pod.command)


@pytest.mark.parametrize(("name", "part"), EVERY_POD)
def test_a_command_accepts_the_settings_that_it_is_given(name: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(name, part).items():
        monkeypatch.setenv(variable, value)
    for settings in settings_of(PODS[name][part].command):
        settings()


def test_whoever_stores_reads_or_deletes_has_the_key_of_pseudonyms() -> None:
    wants = {part for part, pod in BASE.items() if "ATTEMPTLOG_PSEUDONYM_KEY" in pod.secrets}
    assert wants == {*SERVICES, "retention"}
    references = [BASE[part].secrets["ATTEMPTLOG_PSEUDONYM_KEY"]["name"] for part in wants]
    assert set(references) == {"attemptlog-pseudonyms"}


def test_each_uses_a_login_of_its_own() -> None:
    logins = {part: urlsplit(url).username for part in BASE if (url := environment("base", part).get(URL))}
    jobs = {"migrate": "owner", "audit": "owner", "retention": "purger"}
    assert logins == {name: name for name in SERVICES} | {"console": "reader"} | jobs
    secrets = {part: BASE[part].secrets["PGPASSWORD"]["name"] for part in logins}
    assert secrets == {part: f"attemptlog-{jobs.get(part, part)}" for part in logins}


URL = "ATTEMPTLOG_DATABASE_URL"


@pytest.mark.parametrize("name", RENDERED)
def test_a_secret_is_never_written_down(name: str) -> None:
    assert not of_kind(RENDERED[name], "Secret")
    for variable, value in (
        item for it in of_kind(RENDERED[name], "ConfigMap").values() for item in it["data"].items()
    ):
        assert not variable.endswith(("PASSWORD", "SECRET", "KEY"))
        assert urlsplit(value).password is None
    for pod in PODS[name].values():
        assert all("value" not in entry for entry in pod.named.values())


def test_the_page_lists_every_key_of_every_secret() -> None:
    used: dict[str, set[str]] = {}
    for pod in EXAMPLE.values():
        for reference in pod.secrets.values():
            used.setdefault(reference["name"], set()).add(reference["key"])
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows(table(PAGE, PREPARED, 0))}
    assert listed == used
    optional = {key for pod in EXAMPLE.values() for key, it in pod.secrets.items() if it.get("optional")}
    assert optional == {"ATTEMPTLOG_KAFKA_USERNAME", "ATTEMPTLOG_KAFKA_PASSWORD"}


PREPARED = "Before the first time"


def paths(part: str) -> set[str]:
    """Return what a service serves over HTTP."""
    if part == "gateway":
        return {getattr(route, "path", "") for route in router.routes}
    if part == "console":
        return {getattr(route, "path", "") for route in console.router.routes}
    if part == "consumer":
        settings = ConsumerSettings(kafka_bootstrap_servers="kafka:9092", database_url="postgresql://db/x")
        return {path for path, _ in consumer.create_app(settings).routes}
    with serving("127.0.0.1", 0, CollectorRegistry(), lambda: True) as port:
        asked = {path: httpx.get(f"http://127.0.0.1:{port}{path}") for path in ("/healthz", "/readyz", "/elsewhere")}
    return {path for path, answer in asked.items() if answer.status_code == httpx.codes.OK}


@pytest.mark.parametrize("part", SERVICES)
def test_the_probes_ask_what_is_served(part: str) -> None:
    container = BASE[part].container
    probes = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe: asked["path"] for probe, asked in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",  # the other would have a pod restarted while PostgreSQL or Kafka is away
        "readinessProbe": "/readyz",
    }
    assert {asked["path"] for asked in probes.values()} <= paths(part)
    assert {asked["port"] for asked in probes.values()} == {"http"}


def port_served(pod: Pod) -> Any:
    defaults = {
        "consumer": ConsumerSettings.model_fields["consumer_port"].default,
        "exporter": ExporterSettings.model_fields["exporter_port"].default,
        "console": ConsoleSettings.model_fields["console_port"].default,
    }
    return defaults.get(pod.component) or command_of(pod.command)[0].make_context("", pod.command[1:]).params["port"]


@pytest.mark.parametrize("part", SERVICES)
def test_the_named_port_is_the_one_that_is_served(part: str) -> None:
    assert BASE[part].container["ports"] == [{"name": "http", "containerPort": port_served(BASE[part])}]


@pytest.mark.parametrize(
    ("part", "takes"),
    [
        ("gateway", timedelta(seconds=5 + GRACE) + IngestSettings.model_fields["delivery_deadline"].default),
        ("consumer", consumer.RETRY_TIMEOUT + timedelta(seconds=STOP_DEADLINE + consumer.HTTP_GRACE)),
        ("console", timedelta(seconds=5 + console_server.GRACE)),
    ],
)
def test_a_pod_is_given_the_time_that_its_end_takes(part: str, takes: timedelta) -> None:
    assert BASE[part].spec["terminationGracePeriodSeconds"] > takes.total_seconds()


@pytest.mark.parametrize("part", ["gateway", "console"])
def test_a_server_goes_on_until_nothing_is_sent_to_it(part: str) -> None:
    assert BASE[part].container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}


def test_a_consumer_is_known_by_the_name_of_its_pod() -> None:
    named = BASE["consumer"].named["ATTEMPTLOG_CONSUMER_INSTANCE_ID"]
    assert named["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_what_erases_waits_to_be_asked_for() -> None:
    assert BASE["retention"].workload["spec"]["suspend"] is True
    assert EXAMPLE["retention"].workload["spec"]["suspend"] is False
    assert "--apply" in BASE["retention"].command


def test_the_page_says_what_each_part_asks_for() -> None:
    asked = {part: pod.container["resources"] for part, pod in BASE.items()}
    listed = {row[0]: row[1:] for row in rows(table(PAGE, "How much"))}
    assert {part: it[1:] for part, it in listed.items()} == {
        part: [it["requests"]["memory"], it["limits"]["memory"], it["requests"]["cpu"]] for part, it in asked.items()
    }
    assert all(it["limits"].keys() == {"memory"} for it in asked.values())
    assert all(int(measured.split(" MB")[0]) < int(asked.split("Mi")[0]) for measured, asked, *_ in listed.values())


@pytest.mark.parametrize(
    ("part", "row"), [("gateway", "gateway, RSS at"), ("consumer", "consumer, RSS"), ("exporter", "export of")]
)
def test_a_service_has_room_for_what_was_measured(part: str, row: str) -> None:
    measured = next(
        cells for cells in rows(table(ROOT / "docs/performance.md", "The last run")) if cells[0].startswith(row)
    )
    size = int(measured[1].removesuffix(" MB"))
    assert int(BASE[part].container["resources"]["requests"]["memory"].removesuffix("Mi")) > size
    assert any(row[0] == part and row[1].startswith(f"{size} MB") for row in rows(table(PAGE, "How much")))


def test_the_example_gives_the_image_a_name_and_the_projects_version() -> None:
    version = re.search(r'"version": "(.+)"', (ROOT / "client/package.json").read_text())
    assert version is not None
    images = {one["image"] for it in RENDERED["example"] for one in mappings(it) if "image" in one}
    assert images == {f"registry.example/attemptlog:{version[1]}"}


def test_the_example_is_in_one_namespace() -> None:
    [namespace] = of_kind(RENDERED["example"], "Namespace")
    others = [it for it in RENDERED["example"] if it["kind"] != "Namespace"]
    assert {it["metadata"]["namespace"] for it in others} == {namespace}


def test_every_file_is_part_of_it() -> None:
    for folder in KUBERNETES.iterdir():
        named = re.findall(r"^  - (\S+\.yaml)$", (folder / "kustomization.yaml").read_text(), re.MULTILINE)
        assert sorted([*named, "kustomization.yaml"]) == sorted(file.name for file in folder.iterdir())
