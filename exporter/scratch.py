"""Temporary files: a batch on its way, or the rows of a day that an audit compares."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from attemptlog.exporter.ledger import told

PREFIX = "attemptlog-export-"
LEFT_AFTER = timedelta(days=1)  # nothing that is at work keeps its files as long


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that goes with the `with`; what killed processes have left is removed.

    Every OSError within is raised as SetUpError or TransientError: there is no room, say.
    """
    with told(Path(tempfile.gettempdir())):
        remove_left(time.time())
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            yield Path(folder)


def remove_left(now: float) -> None:
    """Remove the folders that were made longer ago than LEFT_AFTER, seconds since 1970, as far as they are ours."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if now - folder.lstat().st_mtime > LEFT_AFTER.total_seconds():
                shutil.rmtree(folder)
