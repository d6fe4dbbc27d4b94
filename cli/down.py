"""`attemptlog down`: stops what `up` started, also what a killed one left."""

import os
import signal
import time
from pathlib import Path

from attemptlog.cli.console import out, working_on
from attemptlog.local_pipeline.folder import owner_of
from attemptlog.local_pipeline.services import services_in
from attemptlog.local_stack import stop_leftovers
from attemptlog.local_stack.processes import end
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import ENVIRONMENT_FILE, STACK_DIRECTORY

STOP_TIMEOUT = 75.0  # seconds; what `up` gives its parts, together
POLL_SECONDS = 0.1


def down() -> None:
    """Stop the pipeline of this folder: the `up` that runs here, or what is left of one that was killed."""
    directory = STACK_DIRECTORY.absolute()
    if (owner := owner_of(directory)) is not None:
        with working_on("Stopping"):
            _stop(owner, directory)
        out.print(f"Stopped `attemptlog up` (process {owner}).")
        return
    stopped = [*_stop_services(), *stop_leftovers(directory)]
    ENVIRONMENT_FILE.unlink(missing_ok=True)
    out.print(f"Stopped {', '.join(stopped)}." if stopped else "Nothing is running here.")


def _stop(owner: int, directory: Path) -> None:
    os.kill(owner, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while owner_of(directory) == owner:
        if time.monotonic() > deadline:
            raise OperatorError(f"Process {owner} does not stop: kill it with `kill -9 {owner}`, then run this again.")
        time.sleep(POLL_SECONDS)


def _stop_services() -> list[str]:
    leftovers = list(services_in(STACK_DIRECTORY.absolute()))
    end(leftovers)
    return [f"a service (process {process.pid})" for process in leftovers]
