"""From PostgreSQL to xAPI statements, as the exporter does it."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from attemptlog.cli.doctor import _database
from attemptlog.event_store.errors import CannotRun
from attemptlog.exporter.audit import audit_target
from attemptlog.exporter.errors import Stopped
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.passes import Hooks
from attemptlog.exporter.statement_requests import MAX_STATEMENTS
from attemptlog.exporter.xapi import target_of
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from tests.support.command import Folder
from tests.support.export import assert_equal, export, kill_exports, store
from tests.support.http import Exam, insert_exam
from tests.support.record_store import PASSWORD, USER, RunningStore
from tests.support.secured import login
from tests.support.statements import BASE, HOME_PAGE, read_lines, rows_of, settings_for, settings_of


@pytest.fixture
def exam(database_url: str) -> Exam:
    exam = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 12)
    return exam


@pytest.fixture
def exporter_url(database_url: str) -> str:
    return login(database_url, "attemptlog_exporter", "secret")


def exams_of(statements: list[Any]) -> set[str]:
    return {each["context"]["contextActivities"]["parent"][0]["id"] for each in statements}


def test_a_directory_holds_every_stored_event_and_the_audit_agrees(
    database_url: str, exporter_url: str, exam: Exam, tmp_path: Path
) -> None:
    export(exporter_url, target_of(settings_of(tmp_path)), batch_rows=5)
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
    export(exporter_url, target_of(settings_of(tmp_path)))
    assert_equal(database_url, rows_of(read_lines(tmp_path)))
    found = audit_target(exporter_url, "here", target_of(settings_of(tmp_path)))
    assert (found.rows, found.differences) == (15, [])


HIDDEN = [
    "REVOKE ALL ON test_sessions FROM attemptlog_exporter; REVOKE SELECT (id, exam_id) ON test_sessions FROM"
    " attemptlog_exporter",
    "CREATE POLICY shown ON attempt_events TO attemptlog_exporter USING (true); ALTER TABLE attempt_events ENABLE ROW"
    " LEVEL SECURITY; ALTER TABLE test_sessions ENABLE ROW LEVEL SECURITY",
]


@pytest.mark.parametrize("statement", HIDDEN, ids=["grant", "policy"])
async def test_sessions_that_the_exporter_may_not_see_stop_it_and_doctor_says_so(
    database_url: str, exporter_url: str, exam: Exam, tmp_path: Path, statement: str
) -> None:
    """Their statements would have no exam, and nobody would be told."""
    export(exporter_url, target_of(settings_of(tmp_path)), name="xapi")
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode())
    with pytest.raises(CannotRun, match="test_sessions"):
        export(exporter_url, target_of(settings_of(tmp_path)), name="xapi")
    with pytest.raises(OperatorError, match=r"test_sessions.*attemptlog_exporter"):
        await _database(OperatorSettings(database_url=database_url))
    export(exporter_url, ParquetDirectory(tmp_path / "parquet"))


def test_a_stop_waits_for_one_request_and_not_for_the_batch(
    database_url: str, exporter_url: str, exam: Exam, tmp_path: Path, record_store: RunningStore
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3 * MAX_STATEMENTS)
    record_store.empty()
    hooks = Hooks(is_stopping=lambda: record_store.file.stat().st_size > 0)
    with pytest.raises(Stopped):
        export(exporter_url, target_of(settings_for(tmp_path, record_store)), hooks=hooks)
    assert len(record_store.statements()) == MAX_STATEMENTS
    export(exporter_url, target_of(settings_for(tmp_path, record_store)))
    assert_equal(database_url, rows_of(record_store.statements()))


def test_the_audit_names_a_statement_that_is_gone(exporter_url: str, exam: Exam, tmp_path: Path) -> None:
    export(exporter_url, target_of(settings_of(tmp_path)))
    [path] = tmp_path.glob("day=*/*.jsonl")
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(others))
    [difference] = audit_target(exporter_url, "here", target_of(settings_of(tmp_path))).differences
    assert (difference.missing, difference.sample) == (1, {"missing": [first[7:43].decode()]})


def test_a_session_has_its_exam_and_one_without_is_an_attempt(
    database_url: str, exporter_url: str, exam: Exam, tmp_path: Path
) -> None:
    alone = str(uuid4())
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO test_sessions (id, user_id) VALUES (%s, %s)", [alone, exam.user])
        store(connection, Exam(exam.user, alone, "", exam.question), 2)
    export(exporter_url, target_of(settings_of(tmp_path)))
    assert exams_of(read_lines(tmp_path)) == {f"{BASE}/exams/{exam.exam}", f"{BASE}/sessions/{alone}"}


def test_a_record_store_holds_every_stored_event_once_also_after_a_resync(
    database_url: str, exporter_url: str, exam: Exam, tmp_path: Path, record_store: RunningStore
) -> None:
    record_store.empty()
    for place in ("here", "after the folder was lost"):
        export(exporter_url, target_of(settings_for(tmp_path / place, record_store)))
        with psycopg.connect(database_url) as connection:
            connection.execute("TRUNCATE export_batches, export_targets")
    assert_equal(database_url, rows_of(record_store.statements()))


def test_the_commands_export_and_the_audit_says_what_it_cannot_tell(
    exporter_url: str, exam: Exam, tmp_path: Path, record_store: RunningStore
) -> None:
    record_store.empty()
    usual = {"database_url": exporter_url, "export_xapi_directory": "xapi", "export_xapi_home_page": HOME_PAGE}
    folder = Folder(tmp_path / "folder", usual)
    done = folder.run("export", "run", "--target", "xapi", "--once")
    assert (done.returncode, done.stdout) == (0, "exported: 12 rows to xapi\n"), done.stderr
    done = folder.run("audit", "--target", "xapi")
    assert (done.returncode, done.stdout) == (0, "agrees: 12 rows of 1 day are in xapi once each\n"), done.stderr

    login_there = {"endpoint": record_store.endpoint, "username": USER, "password": PASSWORD}
    folder.settings |= {f"export_xapi_{name}": value for name, value in login_there.items()}
    done = folder.run("export", "run", "--target", "xapi", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert "run `attemptlog export resync`" in done.stderr  # the store is another place than the directory
    folder.run("export", "resync", "--target", "xapi", "--apply")
    done = folder.run("export", "run", "--target", "xapi", "--once")
    assert (done.returncode, done.stdout) == (0, "exported: 12 rows to xapi\n"), done.stderr
    assert len(record_store.statements()) == 12
    done = folder.run("audit", "--target", "xapi")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be counted" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["directory", "record store"])
def test_an_exporter_that_is_killed_at_any_step_loses_nothing_and_doubles_nothing(
    database_url: str, exam: Exam, tmp_path: Path, record_store: RunningStore, kind: str
) -> None:
    record_store.empty()
    settings = {"directory": str(tmp_path / "xapi"), "home_page": HOME_PAGE}
    if kind == "record store":
        settings |= {"endpoint": record_store.endpoint, "username": USER, "password": PASSWORD}
    environment = {f"ATTEMPTLOG_EXPORT_XAPI_{name.upper()}": value for name, value in settings.items()}
    kill_exports(database_url, "xapi:", exam, seed=3, kills=6, environment=environment)
    held = record_store.statements() if kind == "record store" else read_lines(tmp_path / "xapi")
    assert_equal(database_url, rows_of(held))
