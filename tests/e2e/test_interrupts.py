"""Ctrl-C while a process is still being imported, and at its end: status 130 and no traceback, whatever the instant."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from attemptlog.local_stack.ports import free_port
from tests.support.eventually import PATIENCE
from tests.support.signals import HEEDING_SIGNALS

PIPE_BYTES = 4096  # the least: a process that tells each import is never more than 40 of them ahead of who reads
FIRST = {"cli": b"attemptlog.cli.interrupts", "consumer": b"signal"}  # the handler is there two imports later
SCRIPT = str(Path(sys.executable).with_name("attemptlog"))
NOWHERE = {
    "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ATTEMPTLOG_DATABASE_URL": "postgresql://127.0.0.1:1/nowhere",
    "ATTEMPTLOG_JWT_SECRET": "a secret of the tests, 32 bytes or more",
}
COMMANDS = {
    "audit": ["-m", "attemptlog.cli", "audit"],
    "script": [SCRIPT, "doctor"],
    "ingest": ["-m", "attemptlog.cli", "ingest", "--port", str(free_port())],
    "consume": ["-m", "attemptlog.cli", "consume"],
    "consumer": ["-m", "attemptlog.consumer"],
}
INSTANTS = (0.0, 0.3, 0.6, 0.95)  # of all imports


Telling = tuple["subprocess.Popen[bytes]", BinaryIO]


@contextmanager
def telling_imports(name: str) -> Iterator[Telling]:
    """Run a command that writes a line to its standard error after each import; yield it and what it writes."""
    command = [*HEEDING_SIGNALS, sys.executable, "-X", "importtime", *COMMANDS[name]]
    environment = os.environ | NOWHERE | {"ATTEMPTLOG_CONSUMER_PORT": str(free_port())}
    ours, theirs = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with (
        open(ours, "rb") as said,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process,
    ):
        os.close(theirs)
        try:
            yield process, said
        finally:
            process.kill()


def read_imports(said: BinaryIO, first: bytes, most: int | None = None) -> list[bytes]:
    """Return the next `most` lines from the import of `first` on, or all up to one that tells no import."""
    lines: list[bytes] = []
    for line in said:
        if lines or line.split(b"|")[-1].strip() == first:
            lines.append(line)
        if not line.startswith(b"import time:") or len(lines) == most:
            break
    return lines


@pytest.fixture(scope="module")
def imports() -> dict[str, int]:
    """How many imports there are until the command has something to say, by command."""
    known: dict[str, int] = {}
    for name in COMMANDS:
        with telling_imports(name) as (_, said):
            known[name] = len(read_imports(said, first_of(name)))
    return known


def first_of(name: str) -> bytes:
    return FIRST["consumer" if name == "consumer" else "cli"]


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_during_imports_ends_with_130_and_no_traceback(
    name: str, instant: float, imports: dict[str, int]
) -> None:
    assert imports[name] > 100
    with telling_imports(name) as (process, said):
        read_imports(said, first_of(name), most=3 + int(imports[name] * instant))
        process.send_signal(signal.SIGINT)
        rest = [line for line in said if not line.startswith(b"import time:")]
        assert (process.wait(timeout=PATIENCE), rest) == (130, [])
