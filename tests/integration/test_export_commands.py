"""What a person types, and the service that is left running."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from attemptlog.local_stack.ports import free_port
from tests.support.command import Folder
from tests.support.documents import ROOT, blocks
from tests.support.eventually import PATIENCE, eventually
from tests.support.export import assert_equal, read_with_duckdb, store
from tests.support.http import Exam, insert_exam
from tests.support.secured import login

HOW_TO = ROOT / "docs/how-to/export-to-a-warehouse.md"


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def folder(tmp_path: Path, database_url: str, exam: Exam) -> Folder:
    """A folder to export into, from a database with twelve events."""
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 12)
    return Folder(tmp_path / "folder", {"database_url": login(database_url, "attemptlog_exporter", "secret")})


def exported(folder: Folder) -> str:
    return f"{folder.path}/attemptlog-export/day=*/*.parquet"


def test_once_exports_what_there_is_and_again_nothing(folder: Folder, database_url: str) -> None:
    for rows in (12, 0):
        done = folder.run("export", "run", "--once")
        assert (done.returncode, done.stdout) == (0, f"exported: {rows} rows to parquet\n"), done.stderr
    assert_equal(database_url, read_with_duckdb(exported(folder)))


def test_the_status_says_how_far_it_is(folder: Folder, database_url: str, exam: Exam) -> None:
    assert "Nothing was exported" in folder.run("export", "status").stdout
    folder.run("export", "run", "--once")
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
    done = folder.run("export", "status", "--json")
    [found] = json.loads(done.stdout)
    assert (found["target"], found["exported_rows"], found["pending_rows"]) == ("parquet", 12, 3)
    assert (found["failures"], done.returncode) == (0, 0)
    assert "pending rows" in folder.run("export", "status").stdout


def test_the_status_names_who_holds_the_export_back(folder: Folder, database_url: str, exam: Exam) -> None:
    folder.run("export", "run", "--once")
    folder.settings["database_url"] = database_url  # an owner may see the age
    with psycopg.connect(database_url) as late:
        store(late, exam)
        found = json.loads(folder.run("export", "status", "--json").stdout)[0]["held_back_by"]
        assert found["pid"] == late.info.backend_pid
        assert found["age"] > 0
        assert f"pid {late.info.backend_pid}" in folder.run("export", "status").stdout


def test_the_audit_agrees_and_disagrees(folder: Folder) -> None:
    assert "Nothing was exported to parquet" in folder.run("audit", "--target", "parquet").stderr
    folder.run("export", "run", "--once")
    done = folder.run("audit", "--target", "parquet")
    assert (done.returncode, done.stdout) == (0, "agrees: 12 rows of 1 day are in parquet once each\n")
    [manifest] = (folder.path / "attemptlog-export/_attemptlog/batches").iterdir()
    manifest.unlink()
    done = folder.run("audit", "--target", "parquet")
    assert (done.returncode, "disagrees" in done.stdout, "2026-03-02 missing" in done.stdout) == (1, True, True)
    assert json.loads(folder.run("audit", "--target", "parquet", "--json").stdout)["differences"][0]["missing"] == 12


def test_a_resync_is_a_dry_run_unless_told_otherwise(folder: Folder, database_url: str) -> None:
    folder.run("export", "run", "--once")
    assert "--apply" in folder.run("export", "resync").stdout
    assert "0 rows" in folder.run("export", "run", "--once").stdout
    assert folder.run("export", "resync", "--apply").returncode == 0
    assert "12 rows" in folder.run("export", "run", "--once").stdout
    assert_equal(database_url, read_with_duckdb(exported(folder)))


MISTAKES: list[tuple[list[str], dict[str, str], str]] = [
    (["export", "run", "--once", "--target", "nowhere"], {}, "There is no target nowhere"),
    (["export", "resync", "--target", "nowhere"], {}, "There is no target nowhere"),
    (["audit", "--target", "nowhere"], {}, "There is no target nowhere"),
    (["export", "run", "--since", "24h"], {}, "--since needs --once"),
    (["export", "run", "--once"], {"database_url": "postgresql://127.0.0.1:1/nobody"}, "PostgreSQL cannot be reached"),
    (["export", "run", "--once"], {"export_parquet_directory": "/proc/nothing"}, "/proc/nothing"),
    (["export", "run"], {"export_interval": "0"}, "ATTEMPTLOG_EXPORT_INTERVAL"),
]


@pytest.mark.parametrize(("arguments", "settings", "message"), MISTAKES)
def test_a_mistake_ends_in_a_sentence(
    folder: Folder, arguments: list[str], settings: dict[str, str], message: str
) -> None:
    folder.settings |= settings
    done = folder.call(*arguments)
    assert done.exit_code != 0
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_an_address_that_is_not_this_machines_is_told_in_a_sentence(folder: Folder) -> None:
    folder.settings |= {"exporter_port": "1", "exporter_host": "203.0.113.1"}
    done = folder.run("export", "run")
    assert done.returncode != 0
    assert "ATTEMPTLOG_EXPORTER_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def service(folder: Folder, **settings: str) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    port = free_port()
    folder.settings |= {"exporter_port": str(port), "exporter_host": "127.0.0.1", "export_interval": "1", **settings}
    with (folder.path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "attemptlog.cli", "export", "run"],
            cwd=folder.path,
            env=folder.environment,
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield process, client
    finally:
        process.kill()
        process.wait()


async def test_the_service_exports_what_comes_and_ends_when_told(folder: Folder, database_url: str, exam: Exam) -> None:
    with service(folder) as (process, client):
        await eventually(lambda: client.get("/readyz").status_code == httpx.codes.OK)
        with psycopg.connect(database_url) as connection:
            store(connection, exam, 5)
        await eventually(lambda: 'rows_total{target="parquet"} 17.0' in client.get("/metrics").text)
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/nothing").status_code == httpx.codes.NOT_FOUND
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert_equal(database_url, read_with_duckdb(exported(folder)))


def failures_of(database_url: str) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT failures, error_class FROM export_targets").fetchall()


async def test_a_service_whose_target_is_in_the_way_tells_and_goes_on_waiting(
    folder: Folder, database_url: str
) -> None:
    (folder.path / "file").touch()
    with service(folder, export_parquet_directory=str(folder.path / "file")) as (process, client):
        failed = 'failures_total{error_class="set_up",target="parquet"} 1.0'
        await eventually(lambda: failed in client.get("/metrics").text)
        assert client.get("/readyz").status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert client.get("/healthz").status_code == httpx.codes.OK
        await eventually(lambda: failures_of(database_url) == [(1, "set_up")])
        assert folder.run("export", "status").returncode == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


async def test_an_event_that_cannot_be_exported_ends_the_service_and_is_named(
    folder: Folder, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL attemptlog.purge = 'on'; SET LOCAL session_replication_role = 'replica'")
        connection.execute("UPDATE attempt_events SET event_ts = '-infinity' WHERE seq = 7")
        [(row,)] = connection.execute("SELECT id::text FROM attempt_events WHERE seq = 7").fetchall()
    with service(folder) as (process, _):
        await eventually(lambda: process.poll() is not None)
        assert process.returncode == 1
    assert f"event {row}: event_ts" in (folder.path / "log").read_text()


def test_the_queries_of_the_how_to_answer(folder: Folder, database_url: str, exam: Exam) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id, payload_json)"
            " VALUES (gen_random_uuid(), 1, 'PAUSE_BLUR', now(), %s, %s, '{\"away_ms\": 4200}')",
            [exam.session, exam.user],
        )
    folder.run("export", "run", "--once")
    queries = [block.text for block in blocks(HOW_TO) if block.language == "sql" and block.mark == "duckdb"]
    answers = [
        subprocess.run(
            [sys.executable, "-c", f"import duckdb; print(duckdb.sql({query!r}).fetchall())"],
            cwd=folder.path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for query in queries
    ]
    assert answers == ["[('ANSWER_SELECTED', 12), ('PAUSE_BLUR', 1)]\n", f"[('{exam.session}', 4.2)]\n"]


def test_the_programs_of_the_how_to_run(folder: Folder) -> None:
    folder.run("export", "run", "--once")
    programs = [block.text for block in blocks(HOW_TO) if block.language == "python"]
    assert len(programs) == 2
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder.path,
            env=os.environ | folder.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
