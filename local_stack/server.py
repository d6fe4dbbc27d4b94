import re
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from attemptlog.local_stack.errors import LocalStackError, disk_full, writing_to
from attemptlog.local_stack.lock import LockFile
from attemptlog.local_stack.ports import check_free, free_port
from attemptlog.local_stack.processes import Child, end, launching, servers_in

LOCK_NAME = "lock"
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 30.0  # seconds
POLL_INTERVAL = 0.05  # seconds

TELLING_LINE = re.compile(r"^(?!\s+at ).*(ERROR|FATAL|PANIC|Exception|Error:|error:)")


class Server(ABC):
    """One server with its data, log and lock in a directory of its own, listening on 127.0.0.1 only.

    It dies with the process that started it (at once on Linux; elsewhere the next start ends it). Its port is the one
    given, or a free one picked at the first start and kept across restarts.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    death_signal: ClassVar[signal.Signals]

    def __init__(self, directory: Path, port: int | None) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "server.log"
        self._port = port
        self._child: Child | None = None
        self._lock = LockFile(self.directory / LOCK_NAME)
        self._log_start = 0

    @property
    def port(self) -> int:
        if self._port is None:
            raise LocalStackError(f"{self.name} has no port yet: start it first.")
        return self._port

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self.is_running else None

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_running

    def start(self) -> None:
        """Start it and return once it answers; does nothing when it is running."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process without waiting for it to answer."""
        if self.is_running:
            return
        try:
            with writing_to(self.directory):
                self._launch()
        except BaseException:
            self.abandon()
            raise

    def _launch(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        end(list(servers_in(self.directory)))
        self._port = self._port or free_port()
        check_free(self._port, self.name)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._prepare()
        self._child = self._new_child(self._command())
        self._child.start()

    def _new_child(self, command: Sequence[str | Path]) -> Child:
        launch = launching(command, user=self._user(), death_signal=self.death_signal)
        return Child(launch, directory=self.directory, log=self.log)

    def _run(self, command: Sequence[str | Path]) -> None:
        """Run a command that prepares the server, to its end."""
        child = self._new_child(command)
        try:
            child.start()
            status = child.wait()
        finally:
            child.kill()
        if status != 0:
            raise self._failure()

    def wait_until_ready(self) -> None:
        """Return once it answers; raises LocalStackError (and ends it) when it dies or takes longer than a minute."""
        try:
            self._wait_until_ready(time.monotonic() + START_TIMEOUT)
        except BaseException:
            self.abandon()
            raise

    def _wait_until_ready(self, deadline: float) -> None:
        while self.is_running:
            if self._answers():
                return
            if time.monotonic() > deadline:
                raise LocalStackError(f"{self.name} did not answer within {START_TIMEOUT:.0f} s: see {self.log}.")
            time.sleep(POLL_INTERVAL)
        raise self._failure()

    def stop(self) -> None:
        """Stop it in an orderly way and free its directory; does nothing when it is not running."""
        self._stop(self.stop_signal)

    def _stop(self, stop_signal: signal.Signals) -> None:
        try:
            if self._child:
                self._child.stop(stop_signal, STOP_TIMEOUT)
        finally:
            self._lock.release()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would; the directory stays taken for the restart."""
        if self._child:
            self._child.kill()

    def abandon(self) -> None:
        """Kill it and free its directory."""
        try:
            self.kill()
        finally:
            self._lock.release()

    def _take_lock(self) -> None:
        if not self._lock.take():
            raise LocalStackError(
                f"Another attemptlog stack is running in {self.directory.parent}: stop it or choose another directory."
            )

    def _failure(self) -> LocalStackError:
        if "No space left on device" in self._new_log():
            return disk_full(self.directory)
        return LocalStackError(f"{self.name} stopped while starting ({self._telling_line()}): see {self.log}.")

    def _telling_line(self) -> str:
        lines = [line for line in self._new_log().splitlines() if line.strip()]
        telling = [line for line in lines if TELLING_LINE.match(line)]
        return (telling or lines or ["it left no message"])[-1].strip()

    def _new_log(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _user(self) -> str | None:
        """The user to run as, None for the caller's own."""
        return None

    @abstractmethod
    def _prepare(self) -> None:
        """Make data and settings ready; leaves data in place that is already there."""

    @abstractmethod
    def _command(self) -> list[str | Path]: ...

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it answers a request in its own protocol now."""
