"""The `attemptlog` command as a real process, in a folder of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, chdir
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from typer.testing import CliRunner, Result

from attemptlog.cli.app import app
from attemptlog.local_stack.ports import free_port
from tests.support.eventually import eventually
from tests.support.signals import HEEDING_SIGNALS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "attemptlog.cli"]
START_TIMEOUT = 180.0  # seconds; about ten
RUN_TIMEOUT = 180.0  # seconds
STOP_TIMEOUT = 90.0  # seconds; a pipeline promises 75


@dataclass
class Folder:
    """A folder to run commands in; `settings` are environment variables without their prefix."""

    path: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path.mkdir()
        self.ports = [f"--gateway-port={free_port()}", f"--consumer-port={free_port()}"]
        self.platform, self.console = (f"http://127.0.0.1:{free_port()}" for _ in range(2))

    @property
    def environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("ATTEMPTLOG_")}
        given = {f"ATTEMPTLOG_{name.upper()}": value for name, value in self.settings.items()}
        # the command has to work whether or not the project is installed
        return others | given | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT,
            check=False,
        )

    def call(self, *arguments: str) -> Result:
        """Run a command to its end in this process, which is quicker by a second of importing."""
        given = {f"ATTEMPTLOG_{name.upper()}": value for name, value in self.settings.items()}
        with chdir(self.path):
            return CliRunner().invoke(app, arguments, env=given)

    @asynccontextmanager
    async def up(self, *options: str) -> AsyncIterator["Up"]:
        """Run `attemptlog up` once it says that it is running; stops it afterwards if the test has not."""
        log = self.path / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *HEEDING_SIGNALS,
                    *COMMAND,
                    "up",
                    *self.ports,
                    f"--platform-port={self.platform.rpartition(':')[2]}",
                    f"--console-port={self.console.rpartition(':')[2]}",
                    *options,
                ],
                cwd=self.path,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        up = Up(process, log)
        try:
            await eventually(up.is_running_or_failed, timeout=START_TIMEOUT)
            assert process.poll() is None, up.output
            yield up
        finally:
            up.stop(signal.SIGTERM)

    def processes(self) -> list[psutil.Process]:
        """Whoever works in the folder."""
        return [process for process in psutil.process_iter() if _works_in(process, self.path)]


@dataclass
class Up:
    """A running `attemptlog up`."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def is_running_or_failed(self) -> bool:
        return "Running;" in self.output or self.process.poll() is not None

    def stop(self, number: signal.Signals) -> int:
        """Send a signal unless it has ended, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
