"""Processes that are measured: started, watched, stopped."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import httpx
import psutil

ROOT = Path(__file__).parents[1]
READY_WITHIN = 30.0  # seconds
STOP_WITHIN = 15.0  # seconds
ENDED_WELL = (0, -SIGTERM)
SAMPLE_INTERVAL = 0.1  # seconds


@contextmanager
def running(command: Sequence[str | Path], environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Run a command with no settings of ours but those in `environment`, and end it afterwards.

    What it says is shown only if it did not end well.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("ATTEMPTLOG_")}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env={**others, **environment}, cwd=ROOT, stdout=said, stderr=said)
        try:
            yield psutil.Process(process.pid)
        finally:
            if _stop(process) not in ENDED_WELL:
                said.seek(0)
                sys.stderr.write(said.read())


def _stop(process: "subprocess.Popen[bytes]") -> int:
    process.terminate()
    try:
        return process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait_until_ready(port: int) -> None:
    """Return when /readyz answers 2xx; raise TimeoutError after READY_WITHIN."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"what listens on port {port} did not become ready")


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that ended stays known until it is waited for."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def cpu_seconds(*processes: psutil.Process) -> float:
    """Return the CPU time that the processes have used, in user and kernel mode."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


@dataclass
class Memory:
    """The largest resident set seen, in bytes."""

    peak: int = 0


@contextmanager
def memory_of(process: psutil.Process) -> Iterator[Memory]:
    """Watch the memory of a process."""
    memory, is_over = Memory(), threading.Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_INTERVAL):
            memory.peak = max(memory.peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        is_over.set()
        watcher.join()
