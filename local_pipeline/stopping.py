"""Stopping a pipeline from outside: the process that holds it, or what a killed one left."""

import os
import signal
import time
from pathlib import Path

from attemptlog.local_pipeline.folder import owner_of
from attemptlog.local_pipeline.services import services_in
from attemptlog.local_stack import stop_leftovers
from attemptlog.local_stack.processes import end
from attemptlog.runtime.errors import OperatorError

STOP_TIMEOUT = 75.0  # seconds; what a pipeline gives its parts, together
POLL_SECONDS = 0.1


def stop_owner(owner: int, directory: Path) -> None:
    """Tell the process that holds a folder to stop, and return when it has; raises OperatorError when it does not."""
    os.kill(owner, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while owner_of(directory) == owner:
        if time.monotonic() > deadline:
            raise OperatorError(f"Process {owner} does not stop: kill it with `kill -9 {owner}`, then run this again.")
        time.sleep(POLL_SECONDS)


def stop_left(directory: Path) -> list[str]:
    """Stop what a killed process left running in a folder, and return what that was."""
    services = list(services_in(directory))
    end(services)
    return [*(f"a service (process {process.pid})" for process in services), *stop_leftovers(directory)]
