import importlib
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import orjson
import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError
from typer.testing import CliRunner

from attemptlog.cli.app import EXAMPLES, app
from attemptlog.local_stack import LocalStackError
from attemptlog.migrations import MigrationError
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.layout import wanted_layout
from attemptlog.runtime.sentences import SENTENCES, sentence
from attemptlog.simulation.tokens import TokenMint
from tests.support.documents import ROOT

SECRET = "a secret of the tests, 32 bytes or more"

runner = CliRunner()


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "GATEWAY_URL", "CONSUMER_URL", "JWT_SECRET"):
        monkeypatch.delenv(f"ATTEMPTLOG_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", EXAMPLES)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])

    assert result.exit_code == 0
    assert f"Example: {EXAMPLES[command]}" in " ".join(result.output.split())


def test_the_help_lists_every_command() -> None:
    result = runner.invoke(app, ["--help"])

    assert all(f" {command} " in result.output for command in EXAMPLES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["audit", "--nosuch"],
        ["audit", "--wait", "soon"],
        ["simulate", "--duplicates", "many"],
        ["simulate", "--candidates", "0"],
        ["simulate", "--events", "nosuch.csv"],
        ["up", "--gateway-port", "99999"],
        ["schema", "nosuch"],
        ["migrate", "--indexes", "nosuch"],
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("command", ["audit", "doctor", "migrate", "simulate", "topics", "ingest", "consume"])
def test_a_missing_setting_is_told_by_name_and_ends_with_1(command: str) -> None:
    result = runner.invoke(app, [command])

    assert result.exit_code == 1
    assert "ATTEMPTLOG_" in result.output
    assert "Traceback" not in result.output


def test_a_session_cannot_be_made_without_the_secret_for_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPTLOG_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nosuch")

    result = runner.invoke(app, ["sessions", "create"])

    assert (result.exit_code, "ATTEMPTLOG_JWT_SECRET is not set" in result.output) == (1, True)


@pytest.mark.parametrize("command", ["audit", "migrate", "doctor"])
def test_a_server_that_does_not_answer_ends_with_1_and_no_password(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTEMPTLOG_DATABASE_URL", "postgresql://someone:pass-word@127.0.0.1:1/nosuch")
    monkeypatch.setenv("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    result = runner.invoke(app, [command])

    assert result.exit_code == 1
    assert "PostgreSQL" in result.output
    assert "pass-word" not in result.output
    assert "Traceback" not in result.output


def test_a_short_secret_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPTLOG_DATABASE_URL", "postgresql://127.0.0.1:1/nosuch")
    monkeypatch.setenv("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("ATTEMPTLOG_JWT_SECRET", "short")

    result = runner.invoke(app, ["ingest"])

    assert result.exit_code == 1
    assert "32 bytes or more" in " ".join(result.output.split())


def test_nothing_to_stop_is_no_mistake() -> None:
    result = runner.invoke(app, ["down"])

    assert (result.exit_code, result.output.strip()) == (0, "Nothing is running here.")


@pytest.mark.parametrize("document", ["envelope", "ingest-request", "asyncapi"])
def test_schema_prints_a_document(document: str) -> None:
    result = runner.invoke(app, ["schema", document])

    assert result.exit_code == 0
    assert orjson.loads(result.stdout)


def test_the_addresses_that_up_leaves_are_the_defaults(tmp_path: Path) -> None:
    folder = tmp_path / ".attemptlog"
    folder.mkdir()
    (folder / "env").write_text("export ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1\n")

    assert "127.0.0.1:1" in runner.invoke(app, ["topics"]).output


@pytest.mark.parametrize("name", SENTENCES)
def test_an_error_is_told_under_a_name_that_it_has(name: str) -> None:
    module, _, class_name = name.rpartition(".")
    error = getattr(importlib.import_module(module), class_name)
    assert f"{error.__module__}.{error.__qualname__}" == name


@pytest.mark.parametrize("kind", [OperatorError, LocalStackError, MigrationError])
def test_what_is_written_for_the_operator_is_told_as_it_is(kind: type[Exception]) -> None:
    assert sentence(kind("what to do")) == "what to do"


def test_errors_of_what_a_command_talks_to_are_told() -> None:
    assert sentence(httpx.ConnectError("refused")) == "The gateway cannot be reached: refused."
    assert sentence(httpx.InvalidURL("no host")) == "The gateway cannot be reached: no host."
    assert "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS" in str(sentence(KafkaConnectionError("refused")))
    assert sentence(FileNotFoundError(2, "No such file", "log.csv")) == "log.csv: No such file."


def test_the_version_is_that_of_the_package_for_pages() -> None:
    result = runner.invoke(app, ["--version"])

    package = orjson.loads((ROOT / "client/package.json").read_bytes())
    assert (result.exit_code, result.output) == (0, f"attemptlog {package['version']}\n")


def test_an_error_out_of_a_group_of_tasks_is_told_as_it_is() -> None:
    assert sentence(ExceptionGroup("tasks", [OperatorError("what to do")])) == "what to do"


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    assert sentence(KeyError("x")) is None


def test_a_database_without_tables_is_to_be_migrated() -> None:
    assert sentence(psycopg.errors.UndefinedTable()) == "The database is not migrated: run `attemptlog migrate`."


def test_a_database_url_that_cannot_be_read_is_not_repeated() -> None:
    message = sentence(psycopg.ProgrammingError('missing "=" after "postgres://someone:pass-word@host"'))

    assert message is not None
    assert "pass-word" not in message


@pytest.mark.parametrize(("brokers", "replication", "in_sync"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (9, 3, 2)])
def test_a_topic_is_replicated_as_far_as_there_are_brokers(brokers: int, replication: int, in_sync: int) -> None:
    layout = wanted_layout(brokers)

    assert (layout.replication, layout.min_insync_replicas) == (replication, in_sync)
    assert (layout.partitions, layout.retention_ms) == (12, 7 * 24 * 3_600_000)


def test_a_token_names_the_user_and_what_the_gateway_asks_for() -> None:
    now = datetime.now(UTC)

    token = TokenMint(SECRET, audience="exams", issuer="platform").mint("a user", now)

    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="exams", issuer="platform")
    assert claims["sub"] == "a user"
    assert claims["exp"] > now.timestamp()


def test_a_token_has_no_audience_unless_one_is_set() -> None:
    token = TokenMint(SECRET).mint("a user", datetime.now(UTC))

    assert jwt.decode(token, SECRET, algorithms=["HS256"]).keys() == {"sub", "iat", "exp"}
