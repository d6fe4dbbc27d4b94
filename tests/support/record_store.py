"""A real learning record store, Ralph, as a process that keeps its statements in a file."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from attemptlog.local_stack.ports import free_port
from tests.support.documents import ROOT
from tests.support.http import end

LOCK = ROOT / "tests/record_store/requirements.lock"
ENVIRONMENT = ROOT / ".venv/record_store"
PYTHON = ENVIRONMENT / "bin/python"
USER, PASSWORD = "exporter", "a-password"
PAGE = 1000  # statements
START_DEADLINE = 60  # seconds
# Left as it is, the file system's backend makes a file for the first request and refuses the second.
PROGRAM = """
import sys, uvicorn
from ralph.backends.data.base import BaseOperationType
from ralph.backends.data.fs import FSDataBackend
FSDataBackend.default_operation_type = BaseOperationType.APPEND
uvicorn.run("ralph.api:app", port=int(sys.argv[1]), log_level="warning")
"""


class RunningStore:
    """A record store that answers at `endpoint`."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "statements.jsonl"
        self.file.touch()
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}/xAPI"
        self.client = httpx.Client(auth=(USER, PASSWORD), headers={"X-Experience-API-Version": "1.0.3"}, timeout=30)

    def empty(self) -> None:
        """Forget all statements."""
        self.file.write_bytes(b"")

    def post(self, *statements: Any) -> httpx.Response:
        return self.client.post(f"{self.endpoint}/statements", json=list(statements))

    def statements(self, **which: str) -> list[dict[str, Any]]:
        """Ask for statements as any consumer would, page by page."""
        found, url = [], str(httpx.URL(f"{self.endpoint}/statements", params={"limit": str(PAGE), **which}))
        while url:
            page = self.client.get(url).raise_for_status().json()
            found += page["statements"]
            url = page.get("more") and str(httpx.URL(self.endpoint).join(page["more"]))
        return found


@contextmanager
def running_store(folder: Path) -> Iterator[RunningStore]:
    """Run a store whose statements are in a folder."""
    make_environment()
    store = RunningStore(folder)
    (folder / "auth.json").write_text(json.dumps([credentials()]))
    process = subprocess.Popen([PYTHON, "-c", PROGRAM, str(store.port)], cwd=folder, env=settings(folder, store.file))
    try:
        wait_until_serving(store, process)
        yield store
    finally:
        store.client.close()
        end(process)


def make_environment() -> None:
    """Bring the store's virtual environment up to what is locked, one test run at a time."""
    done = ENVIRONMENT / "ready"
    uv = Path(sys.executable).parent / "uv"
    with (ROOT / ".venv/record_store.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if done.exists() and done.read_bytes() == LOCK.read_bytes():
            return
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run([uv, "pip", "sync", "-q", "--python", PYTHON, "--require-hashes", LOCK], check=True)
        done.write_bytes(LOCK.read_bytes())


def credentials() -> dict[str, Any]:
    program = f"import bcrypt; print(bcrypt.hashpw(b'{PASSWORD}', bcrypt.gensalt(4)).decode())"
    hashed = subprocess.check_output([PYTHON, "-c", program], text=True).strip()
    agent = {"account": {"homePage": "https://exam.example", "name": USER}}
    return {"username": USER, "hash": hashed, "scopes": ["all"], "agent": agent}


def settings(folder: Path, file: Path) -> dict[str, str]:
    return os.environ | {
        "RALPH_APP_DIR": str(folder),
        "RALPH_AUTH_FILE": str(folder / "auth.json"),
        "RALPH_RUNSERVER_BACKEND": "fs",
        "RALPH_RUNSERVER_MAX_SEARCH_HITS_COUNT": str(PAGE),
        "RALPH_BACKENDS__LRS__FS__DEFAULT_DIRECTORY_PATH": str(folder),
        "RALPH_BACKENDS__LRS__FS__DEFAULT_LRS_FILE": file.name,
    }


def wait_until_serving(store: RunningStore, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            store.statements()
        except httpx.TransportError:
            continue
        return
    raise AssertionError(f"the record store is not ready (exit status {process.poll()})")
