"""The gateways that are measured, as processes."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from attemptlog.local_stack.ports import HOST, free_port
from benchmarks.processes import ROOT, running, wait_until_ready
from benchmarks.school import SECRET

OURS, PLAIN, GO = "ours", "plain", "Go"
GO_SOURCE = ROOT / "benchmarks/references/gateway_go"
GO_PROGRAM = ROOT / ".venv/gateway_go"
PYTHON = [sys.executable, "-m"]
COMMANDS: dict[str, list[str | Path]] = {
    OURS: [*PYTHON, "attemptlog.cli", "ingest"],
    PLAIN: [*PYTHON, "uvicorn", "benchmarks.references.gateway_plain:app", "--no-access-log", "--log-level", "warning"],
    GO: [GO_PROGRAM],
}


class NoGo(Exception):
    """There is no gateway in Go to compare with."""


class GoMissing(NoGo):
    """Go is not on this machine, which it need not be."""


class NotBuilt(NoGo):
    """Go is there and did not build the program."""


def build_go() -> None:
    """Build GO_PROGRAM; raise NoGo with a sentence. The first time, Go fetches the modules that go.sum names."""
    go = shutil.which("go")
    if go is None:
        raise GoMissing("the gateway in Go is left out, because `go` is not on PATH")
    command: list[str | Path] = [go, "build", "-trimpath", "-o", GO_PROGRAM, "."]
    done = subprocess.run(command, cwd=GO_SOURCE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotBuilt(f"the gateway in Go could not be built: {' '.join(done.stderr.split())}")


@contextmanager
def gateway(name: str, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """Run one of COMMANDS; yield its port and its process once it is ready."""
    port = free_port()
    with running([*COMMANDS[name], "--host", HOST, "--port", str(port)], environment) as process:
        wait_until_ready(port)
        yield port, process


def environment_for(bootstrap_servers: str, database_url: str, topic: str) -> dict[str, str]:
    """Return what a gateway reads; the rate limit is out of the way because the load is one caller's a thousandfold."""
    return {
        "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "ATTEMPTLOG_DATABASE_URL": database_url,
        "ATTEMPTLOG_TOPIC": topic,
        "ATTEMPTLOG_JWT_SECRET": SECRET,
        "ATTEMPTLOG_LOG_LEVEL": "WARNING",
        "ATTEMPTLOG_RATE_LIMIT_EVENTS_PER_SECOND": "1000000",
        "ATTEMPTLOG_RATE_LIMIT_BURST": "1000000",
        "GOMAXPROCS": "1",  # a core for the one in Go, as each of the others has
    }
