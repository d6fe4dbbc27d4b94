"""The folder `.attemptlog`: who runs in it, its secret, and the addresses that it leaves for other commands."""

import fcntl
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attemptlog.runtime.errors import OperatorError


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, with our process number in it; raise OperatorError when another holds it."""
    directory.mkdir(exist_ok=True)
    with (directory / "up.lock").open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                "`attemptlog up` is running in this folder already: stop it with Ctrl-C there, or `attemptlog down`."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        yield


def owner_of(directory: Path) -> int | None:
    """Return the process number of the `up` that runs in a directory, None when there is none."""
    try:
        with (directory / "up.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except FileNotFoundError:
        return None
    return None


def kept_secret(path: Path) -> str:
    """Return the secret in a file that only we can read; make one the first time."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text()


@contextmanager
def environment_file(path: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Leave settings for other commands in this folder, and for a shell, until the end of the block."""
    _write_private(path, _shell_lines(settings))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _shell_lines(settings: Mapping[str, str]) -> str:
    return "".join(f"export ATTEMPTLOG_{name}={shlex.quote(value)}\n" for name, value in settings.items())


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
