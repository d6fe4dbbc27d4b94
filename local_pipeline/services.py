"""The gateway, the consumer and the example platform as child processes of `attemptlog up`."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGKILL
from typing import Self

import httpx
import psutil

from attemptlog.local_stack.processes import launching
from attemptlog.runtime.errors import OperatorError

START_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 15.0  # seconds; a service finishes what it has in hand within 10
POLL_SECONDS = 0.1
LAST_LINES = 10

# -P: a folder named cli where `up` was started must not take the place of ours
RUN = [sys.executable, "-P", "-m"]


class Service:
    """A service in a session of its own, out of reach of the terminal's Ctrl-C; it dies with us (on Linux)."""

    def __init__(
        self, name: str, module: list[str], environment: Mapping[str, str], *, url: str, directory: Path
    ) -> None:
        """Store what to start: `module` is its name and its arguments, as after `python -m`."""
        self.name = name
        self.url = url
        self.log = directory / "logs" / f"{name}.log"
        self._module, self._environment, self._directory = module, environment, directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it; it may not be ready yet."""
        self.log.parent.mkdir(exist_ok=True)
        command = launching([*RUN, *self._module], user=None, death_signal=SIGKILL)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self._directory,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Let it finish what it has in hand, and kill it if that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raise OperatorError, with the end of the log, when it has stopped."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise OperatorError(
                f"The {self.name} stopped (exit status {status}); its last lines:\n{self._last_lines()}"
            )

    def wait_until_ready(self) -> None:
        """Return once /readyz says so; raise OperatorError when it stops or takes longer than START_TIMEOUT."""
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise OperatorError(f"The {self.name} is not ready after {START_TIMEOUT:.0f} s: see {self.log}.")
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:]) or f"none, {self.log} is empty"


def services_in(directory: Path) -> Iterator[psutil.Process]:
    """The services that an `up` of this directory started."""
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory) and process.cmdline()[1 : len(RUN)] == RUN[1:]:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
