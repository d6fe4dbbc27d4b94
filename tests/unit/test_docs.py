"""What the documents say is what the code does."""

import json
import re
import shlex
import subprocess
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from attemptlog.console.settings import ConsoleSettings
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.exporter.duckdb import DuckDBSettings
from attemptlog.exporter.parquet import ParquetSettings
from attemptlog.exporter.s3 import S3Settings
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.exporter.snowflake_session import SnowflakeSettings
from attemptlog.exporter.xapi import XapiSettings
from attemptlog.ingest_api.openapi import ProblemDocument
from attemptlog.ingest_api.problems import PROBLEMS
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.publisher.metrics import DropReason
from attemptlog.runtime.kafka import KafkaSecurity
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.tracing import TracingSettings
from attemptlog.schemas import EVENT_TYPES, EventIn, IngestReply, IngestRequest, RejectionCode, decode
from attemptlog.schemas.documents import PAYLOAD_EXAMPLES
from tests.support.commands import COMMANDS, command_of
from tests.support.documents import (
    DOCUMENTS,
    LINK,
    ROOT,
    Block,
    all_blocks,
    anchors,
    as_table,
    code_spans,
    prose,
    rows,
    table,
)
from tests.support.landed_release import revisions
from tests.support.registries import REGISTRIES, known_metrics
from tests.support.statements import EXAM, example_row, statement

API = ROOT / "docs/api-contracts.md"
OBSERVABILITY = ROOT / "docs/observability.md"
SETTINGS = ROOT / "docs/settings.md"
UPGRADING = ROOT / "docs/upgrading.md"

AN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"  # what a variable stands for in a block

# Run by another test or by nobody (docker): see the README on what CI does not exercise.
RUN_ELSEWHERE = (
    "make ",
    "promtool ",
    "docker compose ",
    "kubectl ",
    "cp deploy/example.env ",
    "python -c ",
    "node examples/",
    "ATTEMPTLOG_UPGRADE_ROWS=",
)


def lines_of(block: Block) -> list[str]:
    joined = block.text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]


def shown_commands() -> set[str]:
    return {line for block in all_blocks("sh") for line in lines_of(block)} | set(code_spans())


def attemptlog_commands() -> set[str]:
    in_containers = re.compile(r"^docker compose .* run --rm \w+ ")
    bare = {in_containers.sub("attemptlog ", command) for command in shown_commands()}
    return {command for command in bare if command.startswith("attemptlog ")}


def make_targets() -> set[str]:
    return {word for word in words_for_make() if "=" not in word}


def words_for_make() -> list[str]:
    return [word for line in shown_commands() if line.startswith("make ") for word in line.split()[1:]]


STARTS = re.compile("&& attemptlog |run --rm purge ")


def scheduled_commands() -> list[list[str]]:
    """Return the words of what cron is told to run, from the subcommand on."""
    lines = [line for block in all_blocks("cron") for line in lines_of(block)]
    return [shlex.split(STARTS.split(line)[1].partition(" >> ")[0]) for line in lines]


def test_a_schedule_in_the_docs_runs_what_exists_and_asks_nothing() -> None:
    assert len(scheduled_commands()) == 2
    for words in scheduled_commands():
        found, name, options = command_of(words)
        assert "--apply" in options
        found.make_context(name, options)


@pytest.mark.parametrize("command", sorted(attemptlog_commands()))
def test_a_command_in_the_docs_exists_with_its_options(command: str) -> None:
    words = shlex.split(re.sub(r"\$(SESSION|PERSON|EXAM)\b", AN_ID, command.partition(" > ")[0]))[1:]
    found, name, options = command_of([word for word in words if word != "--help"])
    assert found is not None, name
    if options:  # without them it may be a name in the text
        found.make_context(name, options)


def all_commands() -> list[str]:
    """Return every command as it is typed, without the groups that do nothing by themselves."""
    found = {name: COMMANDS.get_command(None, name) for name in COMMANDS.list_commands(None)}
    return [f"{name} {part}".strip() for name, command in found.items() for part in parts_of(command)]


def parts_of(command: Any) -> list[str]:
    """Return the names of a group's subcommands; no name stands for the command itself."""
    if not hasattr(command, "list_commands"):
        return [""]
    return [""] * command.invoke_without_command + list(command.list_commands(None))


def test_the_readme_lists_every_folder() -> None:
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    folders = {Path(file).parts[0] for file in tracked if "/" in file and not file.startswith(".")}
    listed = [LINK.findall(row[0])[0] for row in rows(table(ROOT / "README.md", "Layout"))]
    assert sorted(listed) == sorted(folders - {"docs"})


def test_the_readme_lists_every_command() -> None:
    listed = [row[0].strip("`").removeprefix("attemptlog ") for row in rows(table(ROOT / "README.md", "Commands"))]
    assert sorted(listed) == sorted(all_commands())


def test_a_make_target_in_the_docs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert make_targets() <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_a_variable_given_to_make_in_the_docs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    ports = {f"{name}_PORT" for name in re.findall(r"call port,([A-Z]+),", makefile)}
    settings = {f"ATTEMPTLOG_{name.upper()}" for name in IngestSettings.model_fields}  # which the gateway inherits
    settings.add("OTEL_TRACES_EXPORTER")
    given = {word.partition("=")[0] for word in words_for_make() if "=" in word}
    assert given <= ports | settings | set(re.findall(r"\$\(([A-Z]+)\)", makefile))


MARKS = {"run", "try", "console", "duckdb", "s3", "snowflake"}  # each has a test that runs what is marked so


@pytest.mark.parametrize("block", all_blocks("sh"), ids=lambda block: f"{block.document.name}:{lines_of(block)[0]:.40}")
def test_a_shell_block_is_run_by_a_test_or_known_not_to_be(block: Block) -> None:
    assert block.mark in MARKS or all(line.startswith(RUN_ELSEWHERE) for line in lines_of(block))


def test_the_glossary_is_in_the_order_of_the_alphabet_and_has_each_word_once() -> None:
    words = [row[0] for row in rows(table(ROOT / "docs/glossary.md", "Glossary"))]
    assert len(words) > 1
    assert words == sorted(set(words))


def test_what_each_migration_locks_is_described() -> None:
    listed = [row[0] for row in rows(table(UPGRADING, "What a migration locks, and for how long"))]
    assert listed == [revision for revision in revisions(ROOT) if revision >= listed[0]]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(document: Any) -> None:
    for link in LINK.findall(prose(document)):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: f"{block.document.name}:{block.text:.30}")
def test_a_json_example_is_what_it_claims_to_be(block: Block) -> None:
    document = json.loads(block.text)
    if "events" in document:
        assert all(isinstance(event, EventIn) for event in IngestRequest.model_validate_json(block.text).events)
    elif "payload_json" in document:
        assert decode(block.text.encode()).event_type in EVENT_TYPES
    elif "status" in document:
        ProblemDocument.model_validate(document)
    elif "actor" in document:
        assert document == statement(example_row("ANSWER_CHANGED", exam_id=EXAM))
    else:
        IngestReply.model_validate(document)


def test_every_event_type_is_described_with_the_example_of_the_schema() -> None:
    shown = {
        row[0].strip("`"): json.loads(row[3].strip("`").strip()) for row in rows(table(OBSERVABILITY, "Event types"))
    }
    assert list(shown) == list(EVENT_TYPES)
    assert shown == dict(PAYLOAD_EXAMPLES)


def test_every_status_and_its_code_is_described() -> None:
    shown = [(row[0], row[1].strip("`")) for row in rows(table(API, "Statuses"))]
    assert shown == [("202", ""), *((str(kind.status.value), kind.code) for kind in PROBLEMS)]


def test_every_rejection_code_is_described() -> None:
    assert [row[0].strip("`") for row in rows(table(API, "Reply"))] == list(get_args(RejectionCode))


def test_every_reason_of_a_dead_letter_is_described() -> None:
    check = re.search(r"reason IN \(([^)]*)\)", (ROOT / "migrations/versions/0003_accounting.up.sql").read_text())
    assert check is not None
    assert [row[0].strip("`") for row in rows(table(API, "dead_letters"))] == re.findall(r"'(\w+)'", check[1])


def unit_of_metric(name: str) -> str:
    return next((unit for unit in ("seconds", "bytes", "records", "events") if unit in name.split("_")), "")


def metrics_table(registry: CollectorRegistry) -> str:
    body = []
    for metric in registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        body.append([f"`{name}`", metric.type, unit_of_metric(name), metric.documentation])
    return as_table(["Metric", "Type", "Unit", "Meaning"], body)


@pytest.mark.parametrize("heading", REGISTRIES)
def test_every_metric_is_described(heading: str) -> None:
    assert table(OBSERVABILITY, heading) == metrics_table(REGISTRIES[heading])


def test_every_reason_for_which_an_event_is_dropped_is_described() -> None:
    reasons = [row[0].strip("`") for row in rows(table(OBSERVABILITY, "Event logger", 1))]
    assert reasons == list(get_args(DropReason))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_metric_in_the_docs_exists(document: Any) -> None:
    assert (
        set(re.findall(r"\battemptlog_(?:ingest|consumer|logger|exporter|console)_\w+", document.read_text()))
        <= known_metrics()
    )


UNITS = {
    "mb": "MB",
    "bytes": "bytes",
    "records": "records",
    "burst": "events",
    "size": "sessions",
    "second": "events/s",
}


def unit_of(name: str, field: FieldInfo) -> str:
    if isinstance(field.default, timedelta):
        return "seconds"
    return UNITS.get(name.rpartition("_")[2], "")


def default_of(field: FieldInfo) -> str:
    match field.default:
        case _ if field.default is PydanticUndefined:
            return "required"
        case None | []:
            return "unset"
        case timedelta() as duration:
            return f"`{duration.total_seconds():g}`"
        case SecretStr() | Enum():
            raise AssertionError("say how to show this default")
        case value:
            return f"`{value}`"


SHARED: tuple[type[BaseSettings], ...] = (KafkaSecurity, TracingSettings)


def own_fields(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    shared = {name for each in SHARED if settings is not each for name in each.model_fields}
    return {name: field for name, field in settings.model_fields.items() if name not in shared}


def settings_table(settings: type[BaseSettings]) -> str:
    prefix = settings.model_config["env_prefix"]
    body = [
        [f"`{prefix}{name.upper()}`", default_of(field), unit_of(name, field), field.description or ""]
        for name, field in own_fields(settings).items()
    ]
    return as_table(["Variable", "Default", "Unit", "Meaning"], body)


SETTINGS_BY_HEADING: list[tuple[str, type[BaseSettings]]] = [
    ("Gateway", IngestSettings),
    ("Consumer", ConsumerSettings),
    ("Exporter", ExporterSettings),
    ("Console", ConsoleSettings),
    ("Parquet directory", ParquetSettings),
    ("DuckDB file", DuckDBSettings),
    ("S3", S3Settings),
    ("Snowflake", SnowflakeSettings),
    ("xAPI", XapiSettings),
    ("Command", OperatorSettings),
    ("Kafka", KafkaSecurity),
    ("Tracing", TracingSettings),
]


@pytest.mark.parametrize(("heading", "settings"), SETTINGS_BY_HEADING)
def test_every_setting_is_described(heading: str, settings: type[BaseSettings]) -> None:
    assert table(SETTINGS, heading) == settings_table(settings)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_setting_in_the_docs_exists(document: Any) -> None:
    known = {
        f"{settings.model_config['env_prefix']}{name.upper()}"
        for _, settings in SETTINGS_BY_HEADING
        for name in settings.model_fields
    }
    of_the_tests = {name for file in (ROOT / "tests/support").glob("*.py") for name in named_settings(file)}
    assert named_settings(document) <= known | of_the_tests


def named_settings(file: Path) -> set[str]:
    return set(re.findall(r"\bATTEMPTLOG_[A-Z0-9_]+", file.read_text()))


@pytest.mark.parametrize("duration", ["12", "12.0", "PT12S"])
def test_a_duration_can_be_given_in_seconds_and_as_iso_8601(duration: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "DATABASE_URL": "postgresql://postgres/attemptlog",
        "JWT_SECRET": "x" * 32,
    }.items():
        monkeypatch.setenv(f"ATTEMPTLOG_{name}", value)
    for settings in (IngestSettings, ConsumerSettings):
        durations = [name for name, field in settings.model_fields.items() if isinstance(field.default, timedelta)]
        for name in durations:
            monkeypatch.setenv(f"ATTEMPTLOG_{name.upper()}", duration)
        assert {getattr(settings(), name) for name in durations} == {timedelta(seconds=12)}
