"""A gateway or a consumer as a process that may be killed, frozen and started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from attemptlog.local_stack.processes import launching

ROOT = Path(__file__).parents[1]  # the checkout: what runs is the code that is here
PREFIX = "ATTEMPTLOG_"
STOP_DEADLINE = 10.0  # seconds; what both services promise
POLL_SECONDS = 0.1


class Service:
    """`python -m` with some arguments; it dies with this process. `surprises` are ends that nobody asked for."""

    def __init__(
        self, name: str, arguments: Sequence[str], settings: Mapping[str, str], *, url: str, directory: Path
    ) -> None:
        self.name = name
        self.url = url
        self.log = directory / f"{name}.log"
        self.turn = asyncio.Lock()  # held by the fault that is at it
        self.surprises: list[str] = []
        self._arguments = arguments
        self._environment = _surroundings() | {f"{PREFIX}{key.upper()}": value for key, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it unless it runs; it may not be ready yet."""
        self.check()
        if self._process is None:
            command = launching([sys.executable, "-m", *self._arguments], user=None, death_signal=signal.SIGKILL)
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
                )

    def kill(self) -> None:
        """End it as a crash would."""
        self.check()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self, status_of_ready: int = 0) -> None:
        """Ask it to end; it has to within STOP_DEADLINE, and once it was ready with this exit status."""
        was_ready = await self.is_ready_within(0)
        if self._process is None:
            return
        self._process.terminate()
        try:
            status = await asyncio.to_thread(self._process.wait, STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.surprises.append(f"the {self.name} did not stop within {STOP_DEADLINE:.0f} s: see {self.log}")
            self.kill()
        else:
            self._process = None
            if status not in (0, status_of_ready if was_ready else -signal.SIGTERM):
                self.surprises.append(f"the {self.name} stopped with exit status {status}: see {self.log}")

    async def refuses_within(self, seconds: float) -> bool:
        """Return whether it ends by itself, with exit status 1, in that time."""
        try:
            status = await asyncio.to_thread(self._process.wait, seconds) if self._process else None
        except subprocess.TimeoutExpired:
            return False
        self._process = None
        return status == 1

    def freeze(self) -> None:
        """Hold it still, as a machine that swaps or is moved would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def check(self) -> None:
        """Add to `surprises` when it has ended by itself."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
            self.surprises.append(f"the {self.name} ended by itself (exit status {status}): see {self.log}")

    async def is_ready_within(self, seconds: float) -> bool:
        """Return True once /readyz says so, False when it does not in time or the process has ended."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(base_url=self.url, timeout=2) as client:
            while not await _is_ready(client):
                self.check()
                if self._process is None or time.monotonic() >= deadline:
                    return False
                await asyncio.sleep(POLL_SECONDS)
        return True


def _surroundings() -> dict[str, str]:
    """The environment without our settings: those of a pipeline that runs elsewhere are not meant for this one."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
