import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil

LAUNCH = Path(__file__).with_name("launch.py")
GRACE = 10.0  # seconds that a process gets between being asked to stop and being killed
POLL_INTERVAL = 0.01  # seconds

# Linux ties a child's life to the *thread* that started it, so every server is started by one that lives to the end.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-stack-spawner")


def launching(command: Sequence[str | Path], *, user: str | None, death_signal: signal.Signals) -> list[str]:
    """The command line that runs `command` as `user`, ended by `death_signal` when this process dies (Linux only)."""
    prefix = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal)), user or "-"]
    return [*prefix, *map(str, command)]


class Child:
    """A server process in a session of its own, out of reach of the terminal's Ctrl-C."""

    def __init__(self, command: Sequence[str], *, directory: Path, log: Path) -> None:
        self._command, self._directory, self._log = command, directory, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        _spawner.submit(self._spawn).result()

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self._process.wait() if self._process else 0

    def stop(self, stop_signal: signal.Signals, timeout: float) -> None:
        """Ask it to stop, and kill it when it has not within `timeout` seconds or when the wait is interrupted."""
        try:
            if self._process and self.is_running:
                self._process.send_signal(stop_signal)
                self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it with all its children; returns when they are gone."""
        # a start that was interrupted may still be on its way in the spawner
        _spawner.submit(lambda: None).result()
        if self._process and self.is_running:
            with suppress(psutil.NoSuchProcess):
                _end_family(psutil.Process(self._process.pid))
            self._process.wait()


def _end_family(parent: psutil.Process) -> None:
    # held still first, or it could have another child after they are listed
    parent.suspend()
    end([parent, *parent.children(recursive=True)], grace=0)


def servers_in(directory: Path) -> Iterator[psutil.Process]:
    """The Java and PostgreSQL processes at work in `directory` or below it, whoever started them."""
    for process in psutil.process_iter():
        try:
            if process.name() in {"java", "postgres"} and Path(process.cwd()).is_relative_to(directory):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def end(processes: Sequence[psutil.Process], *, grace: float = GRACE) -> None:
    """Ask the processes to stop, kill the ones still there after `grace` seconds, and wait until all are gone."""
    if grace:
        _send(processes, signal.SIGTERM)
        _wait(processes, grace)
    _send(processes, signal.SIGKILL)
    _wait(processes, GRACE)


def _send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in filter(_is_alive, processes):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait(processes: Sequence[psutil.Process], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still runs: a dead one that nobody has waited for yet does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
