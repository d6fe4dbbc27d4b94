import fcntl
import os
from pathlib import Path
from typing import BinaryIO


class LockFile:
    """A lock that its process loses when it dies in any way; the file names the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def take(self) -> bool:
        """Whether the lock is ours now."""
        if self._file is None:
            self._file = _locked(self._path)
        if self._file is None:
            return False
        self._file.truncate(0)
        self._file.write(str(os.getpid()).encode())
        self._file.flush()
        return True

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def holder(path: Path) -> int | None:
    """The number of the process that holds the lock file at `path`, None when it is free."""
    file = _locked(path)
    if file is None:
        return int(path.read_text())
    file.close()
    return None


def _locked(path: Path) -> BinaryIO | None:
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
