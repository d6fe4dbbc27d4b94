"""`attemptlog console` as a process, and the commands of docs/console.md."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from attemptlog.local_stack.ports import free_port
from tests.support.console import bearer
from tests.support.documents import ROOT, blocks
from tests.support.eventually import PATIENCE, eventually
from tests.support.http import JWT_SECRET
from tests.support.two_exams import CLASS, ROSTER, TwoExams, two_exams

ONE = CLASS[0]


@pytest.fixture(scope="module")
def exams(postgres_url: str, template_database: str) -> Iterator[TwoExams]:
    with two_exams(postgres_url, template_database) as it:
        yield it


def variables(database_url: str, port: int) -> dict[str, str]:
    settings = {"database_url": database_url, "jwt_secret": JWT_SECRET, "console_port": str(port)}
    return os.environ | {f"ATTEMPTLOG_{name.upper()}": value for name, value in settings.items()}


COMMAND = [sys.executable, "-m", "attemptlog.cli", "console"]


def test_it_serves_as_the_docs_say_logs_nobody_and_ends_when_told_to(exams: TwoExams, tmp_path: Path) -> None:
    port = free_port()
    url, environment, log = f"http://127.0.0.1:{port}", variables(exams.reader, port), tmp_path / "log"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    named = {"CONSOLE": url, "EXAM": ROSTER.exam_id, "SESSION": ONE.session_id, "PATH": path}
    script = "\n".join(block.text for block in blocks(ROOT / "docs/console.md") if block.mark == "console")
    with log.open("wb") as told, subprocess.Popen(COMMAND, env=environment, stderr=told) as process:
        asyncio.run(eventually(lambda: httpx.get(f"{url}/readyz", timeout=PATIENCE).status_code == httpx.codes.OK))
        done = subprocess.run(
            ["sh", "-eu"],
            input=script,
            cwd=tmp_path,
            env=environment | named,
            capture_output=True,
            text=True,
            check=False,
        )
        refused = httpx.get(f"{url}/api/me", headers={"authorization": "Bearer x.y.z"}, timeout=PATIENCE)
        httpx.get(f"{url}/api/sessions/{ONE.session_id}", headers=bearer(ONE.user_id), timeout=PATIENCE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"exam_id":"{ROSTER.exam_id}"' in done.stdout
    assert "The log is complete." in (tmp_path / "attempt.csv").read_text("utf-8-sig")
    assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert "server" not in refused.headers
    lines = log.read_text().splitlines()
    assert lines
    assert all(isinstance(orjson.loads(line), dict) for line in lines)
    for secret in (JWT_SECRET, "x.y.z", "secret@", ONE.session_id, ONE.user_id, "eyJ"):
        assert secret not in log.read_text()


def test_a_port_that_is_taken_and_settings_that_are_missing_end_it_in_a_sentence(exams: TwoExams) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        taken = subprocess.run(
            COMMAND, env=variables(exams.reader, port), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert taken.returncode == 1
    assert taken.stderr.startswith(f"Port {port} cannot be listened on (Address already in use")
    assert taken.stderr.endswith("set ATTEMPTLOG_CONSOLE_PORT.\n")
    without = {name: value for name, value in os.environ.items() if not name.startswith("ATTEMPTLOG_")}
    lacking = subprocess.run(COMMAND, env=without, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert lacking.returncode == 1
    assert "ATTEMPTLOG_DATABASE_URL is not set" in lacking.stderr
