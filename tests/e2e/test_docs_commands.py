"""The blocks of the documents that are marked `sh run`, run as a reader would, beside a pipeline that is up."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from attemptlog.local_stack.ports import free_port
from attemptlog.local_stack.postgres import BINARIES
from tests.support.documents import DOCUMENTS, ROOT, blocks

PYTHON = Path(sys.executable)
TIMEOUT = 180  # seconds
TRACED = {"ATTEMPTLOG_TRACING": "on", "OTEL_TRACES_EXPORTER": "console"}
END_OF_BLOCK = "== end of block =="

WITH_COMMANDS = [document for document in DOCUMENTS if any(block.mark == "run" for block in blocks(document))]


@pytest.fixture(scope="module")
def folder(stack_directory: Path) -> Path:
    """A reader's folder, with `attemptlog` on the path whether or not the project is installed."""
    folder = stack_directory / "docs"
    (folder / "bin").mkdir(parents=True)
    command = folder / "bin" / "attemptlog"
    command.write_text(f'#!/bin/sh\nexec "{PYTHON}" -m attemptlog.cli "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def shell(folder: Path) -> dict[str, str]:
    """The environment of a reader's second terminal."""
    path = os.pathsep.join([str(folder / "bin"), str(PYTHON.parent), os.environ["PATH"], str(BINARIES)])
    rest = {name: value for name, value in os.environ.items() if not name.startswith("ATTEMPTLOG_")}
    return rest | {"PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module", autouse=True)
def pipeline(folder: Path, shell: dict[str, str]) -> Iterator[None]:
    """`attemptlog up` in the folder, as `make run` starts it, with a class of one, and with traces for one document."""
    ports = [f"--{name}-port={free_port()}" for name in ("gateway", "consumer", "kafka", "postgres", "platform")]
    command = ["attemptlog", "up", "--candidates=1", *ports]
    with subprocess.Popen(command, cwd=folder, env=shell | TRACED, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("logs") for line in process.stdout), "the pipeline did not come up"
        yield
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.name)
def test_the_commands_of_a_document_work_one_after_the_other(
    document: Path, folder: Path, shell: dict[str, str]
) -> None:
    shown = blocks(document)
    script = f"\necho '{END_OF_BLOCK}'\n".join(block.text for block in shown if block.mark == "run")
    set_up = "" if "/env\n" in script else ". .attemptlog/env\n"
    done = subprocess.run(
        ["sh", "-eu"],
        input=set_up + script,
        cwd=folder,
        env=shell,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = iter(done.stdout.split(f"{END_OF_BLOCK}\n"))
    output = ""
    for block in shown:
        if block.mark == "run":
            output = next(outputs)
        elif block.mark == "reply":
            assert json.loads(output) == json.loads(block.text)
