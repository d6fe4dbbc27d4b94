"""What a person types to see a purge through a warehouse."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.support.command import Folder
from tests.support.export import store, traces_in
from tests.support.http import insert_exam
from tests.support.purge import KEY

REASON = ["--reason", "they asked for it", "--apply"]


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Folder:
    return Folder(tmp_path / "folder", {"database_url": database_url, "pseudonym_key": KEY})


def test_a_purge_goes_through_the_target_and_each_command_says_how_far_it_is(folder: Folder, database_url: str) -> None:
    anna, other = insert_exam(database_url), insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        for exam in (anna, other):
            store(connection, exam, 6)
    assert folder.run("export", "run", "--once").returncode == 0
    assert folder.run("purge", "--user", anna.user, *REASON).returncode == 0
    [status] = json.loads(folder.run("export", "status", "--json").stdout)
    assert (status["pending_purges"], status["forgotten_rows"]) == (1, 0)
    for options, exit_status in (([], 1), (["--allow-pending"], 0)):
        done = folder.run("audit", "--target", "parquet", *options)
        assert (done.returncode, "6 rows more are of purges" in done.stdout) == (exit_status, True), done.stderr
    assert "exported: 0 rows" in folder.run("export", "run", "--once").stdout
    assert "agrees: 6 rows" in folder.run("audit", "--target", "parquet").stdout
    assert "forgotten rows" in folder.run("export", "status").stdout
    assert traces_in(folder.path / "attemptlog-export", anna.user, anna.session) == {}


def test_without_the_key_each_command_is_refused_in_a_sentence(folder: Folder, database_url: str) -> None:
    exam = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 6)
    folder.run("export", "run", "--once")
    folder.run("purge", "--user", exam.user, *REASON)
    del folder.settings["pseudonym_key"]
    for command in ("export run --once", "export resync --apply", "audit --target parquet"):
        done = folder.run(*command.split())
        assert (done.returncode, "set ATTEMPTLOG_PSEUDONYM_KEY" in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
