"""Programs on the tables of an older release, and on those of a newer one."""

from datetime import timedelta

import orjson
import psycopg
import pytest

from attemptlog import migrations
from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from attemptlog.migrations import MigrationError
from tests.support.consumer import consumer_role, query
from tests.support.eventually import eventually
from tests.support.http import insert_exam
from tests.support.purge import run

OLDER = "0010"  # tables of the release 0.1.0
NEWER = "9999"


@pytest.fixture
def newer_database_url(database_url: str) -> str:
    """The URL of a database that a later release than ours has migrated."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE attemptlog_version SET version_num = %s", [NEWER])
    return database_url


def test_migrating_leaves_newer_tables_as_they_are(newer_database_url: str) -> None:
    migrated = run(newer_database_url, "migrate")
    assert migrated.exit_code == 0, migrated.output
    assert f"The database is at {NEWER}, as before.\n" in migrated.output
    assert f"It is of a newer attemptlog than this one, which knows {migrations.head()}" in migrated.output
    assert query(newer_database_url, "SELECT version_num FROM attemptlog_version") == [NEWER]
    told = run(newer_database_url, "migrate", "--json").stdout
    assert orjson.loads(told) == {"before": NEWER, "after": NEWER, "head": migrations.head()}


@pytest.mark.parametrize("way", ["--down", "--to"])
def test_newer_tables_are_taken_elsewhere_by_the_newer_command_only(newer_database_url: str, way: str) -> None:
    refused = run(newer_database_url, "migrate", way, OLDER)
    assert refused.exit_code == 1
    assert f"the database is at {NEWER}, which only a newer attemptlog knows" in refused.output


def test_a_revision_that_nobody_knows_is_named(database_url: str) -> None:
    with pytest.raises(MigrationError, match=NEWER):
        migrations.downgrade(database_url, NEWER)


def test_doctor_looks_at_newer_tables_as_at_its_own(newer_database_url: str) -> None:
    assert f"migrated to {NEWER} by a newer attemptlog, the services' roles may read" in database_finding(
        newer_database_url
    )


def database_finding(database_url: str) -> str:
    findings = {it["check"]: it["detail"] for it in orjson.loads(run(database_url, "doctor", "--json").stdout)}
    return str(findings["database"])


@pytest.fixture
def older_database_url(empty_database_url: str) -> str:
    """The URL of a database that is to be migrated."""
    migrations.upgrade(empty_database_url, OLDER)
    return empty_database_url


@pytest.mark.parametrize(
    "command",
    [
        "audit",
        "dead-letters list",
        "export run --target parquet --once",
        "indicators exam EXAM",
        "indicators session SESSION",
        "person report --user PERSON --by ada --why asked",
        "purge --user PERSON --reason asked --apply",
        "purge list",
        "retention --older-than 400d",
        "sessions gaps",
        "sessions show SESSION --by ada --why asked",
    ],
)
def test_on_older_tables_a_command_says_what_to_run(
    older_database_url: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS", "nowhere:9092")
    monkeypatch.setenv("ATTEMPTLOG_EXPORT_PARQUET_DIRECTORY", "/nowhere")
    exam = insert_exam(older_database_url)
    ids = {"EXAM": exam.exam, "SESSION": exam.session, "PERSON": exam.user}
    refused = run(older_database_url, *(ids.get(word, word) for word in command.split()))
    assert refused.exit_code == 1
    assert refused.output.count("run `attemptlog migrate`") == 1
    assert isinstance(refused.exception, SystemExit)


def test_doctor_says_what_to_run_on_older_tables(older_database_url: str) -> None:
    assert database_finding(older_database_url) == (
        f"The database is at {OLDER}, not at {migrations.head()}: run `attemptlog migrate`."
    )


async def test_a_gateway_on_older_tables_says_what_to_run_and_looks_up_once_that_is_done(
    older_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    exam = insert_exam(older_database_url)
    with consumer_role(older_database_url, "gateway") as role_url:
        async with PostgresSessions(
            role_url, lookup_timeout=timedelta(seconds=10), cache_size=10, cache_ttl=timedelta(minutes=1)
        ) as sessions:
            assert await sessions.find([exam.session], exam.user) == {}
            assert not sessions.is_ready
            [told] = [record.__dict__["error"] for record in caplog.records if record.message.startswith("sessions")]
            assert told == "the database lacks suppression_key, suppressions: run `attemptlog migrate`"
            migrations.upgrade(older_database_url)
            await eventually(lambda: sessions.find([exam.session], exam.user))
            assert sessions.is_ready
