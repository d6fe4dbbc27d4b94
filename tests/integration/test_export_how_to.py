"""The page on other warehouses does what it says."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.command import Folder
from tests.support.documents import ROOT, blocks
from tests.support.export import MONDAY, store
from tests.support.fake_s3 import PREFIX, fake_s3
from tests.support.fake_snowflake import fake_snowflake, private_key
from tests.support.http import insert_exam
from tests.support.secured import login

PAGE = ROOT / "docs/how-to/export-to-other-warehouses.md"
AGREES = "agrees: 12 rows of 1 day are in {} once each"


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Folder:
    """A folder to export from, of a database with twelve events."""
    with psycopg.connect(database_url) as connection:
        store(connection, insert_exam(database_url), 12)
    return Folder(tmp_path / "folder", {"database_url": login(database_url, "attemptlog_exporter", "secret")})


def block(language: str, mark: str = "") -> str:
    [found] = [it.text for it in blocks(PAGE) if (it.language, it.mark) == (language, mark)]
    return found


def run(folder: Folder, *command: str, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder.path,
        env=folder.environment | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_duckdb_file_is_exported_to_and_queried(folder: Folder) -> None:
    assert AGREES.format("duckdb") in run(folder, "sh", "-eu", "-c", block("sh", "duckdb"))
    query = f"import duckdb; print(duckdb.connect('events.duckdb').sql({block('sql', 'duckdb')!r}).fetchall())"
    assert run(folder, sys.executable, "-c", query, TZ="UTC") == f"[({MONDAY.date()!r}, 1, 12, 12)]\n"


def test_a_bucket_is_exported_to_and_queried(folder: Folder) -> None:
    with fake_s3() as service:
        commands = block("sh", "s3").replace("=exams", f"={service.bucket}")
        assert AGREES.format("s3") in run(
            folder, "sh", "-eu", "-c", commands, ATTEMPTLOG_EXPORT_S3_ENDPOINT_URL=service.url
        )
        assert any(name.startswith("day=2026-03-02/") for name in service.names())
        program = block("python").replace("s3://exams/", f"s3://{service.bucket}/")
        assert f"{service.bucket}/{PREFIX}" in program
        there = {"AWS_ENDPOINT_URL": service.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
        assert "ANSWER_SELECTED" in run(folder, sys.executable, "-c", program, **there)


def test_snowflake_is_exported_to_and_queried(folder: Folder) -> None:
    private_key(folder.path / "attemptlog.p8", None)
    with fake_snowflake() as server:
        commands = block("sh", "snowflake").replace("=telemetry", f"={server.schema}")
        place = {"host": "127.0.0.1", "port": str(server.port), "protocol": "http"}
        folder.settings |= {f"export_snowflake_{name}": value for name, value in place.items()}
        assert AGREES.format("snowflake") in run(folder, "sh", "-eu", "-c", commands)
        answers = server.query(block("sql", "snowflake").rstrip(";\n "))
        assert [(row["CHOICE"], row["ANSWERS"]) for row in answers] == [(number, 1) for number in range(1, 13)]


def test_what_is_not_installed_is_named_with_its_extra(folder: Folder) -> None:
    hide = "import sys; sys.modules['duckdb'] = None; from attemptlog.cli.__main__ import main; main()"
    command = [sys.executable, "-c", hide, "export", "run", "--target", "duckdb", "--once"]
    done = subprocess.run(command, cwd=folder.path, env=folder.environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install 'attemptlog[export-duckdb]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_not_set_is_named(folder: Folder) -> None:
    for target, name in (("duckdb", "DUCKDB_FILE"), ("s3", "S3_BUCKET"), ("snowflake", "SNOWFLAKE_ACCOUNT")):
        done = folder.call("export", "run", "--target", target, "--once")
        assert done.exit_code == 1
        assert f"ATTEMPTLOG_EXPORT_{name} is not set" in done.stderr
