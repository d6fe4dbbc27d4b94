"""Temporary files: a batch on its way, or the rows of a day that an audit compares."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attemptlog.exporter.ledger import told

PREFIX = "attemptlog-export-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that goes with the `with`; what killed processes have left is removed.

    Every OSError within is raised as SetUpError or TransientError: there is no room, say.
    """
    with told(Path(tempfile.gettempdir())):
        remove_left()
        folder, lock = _locked_folder()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def remove_left() -> None:
    """Remove the folders of processes of this user that were killed: their locks have gone with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            _remove_unless_locked(folder)


def _locked_folder() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # and not taken for a killed process's, before it was locked
            return folder, lock
        os.close(lock)


def _remove_unless_locked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
    finally:
        os.close(lock)
