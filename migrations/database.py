"""A connection for Alembic, and its failures in one sentence."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from alembic.util import CommandError
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from attemptlog.runtime import postgres

VERSION_TABLE = "attemptlog_version"
"""Not `alembic_version`: the platform may keep its own in the same schema."""

CONNECT_TIMEOUT = 10
"""Seconds, unless the URL says otherwise; libpq's own default is to wait for ever."""

# An ALTER TABLE that queues behind a long query holds up everything that comes after it: rather give up within the
# second that whoever stores may wait, let them store, and try again. Who wants to queue says so in the URL:
# ?options=-c%20lock_timeout%3D60s
DO_NOT_QUEUE = "SELECT set_config('lock_timeout', '800ms', true) WHERE current_setting('lock_timeout') = '0'"
LOCK_PAUSE = 2.0
"""Seconds between two tries, in which what has come together meanwhile is stored."""
LOCK_PATIENCE = 60.0
"""Seconds from the first try to the last."""

# Whatever the role, the database or the environment says: what is read and written has to be the same everywhere, no
# policy may hide rows from what is moved, and triggers and foreign keys have to work. Ends with the transaction.
PIN = """
SELECT
    set_config('client_encoding', 'UTF8', true),
    set_config('standard_conforming_strings', 'on', true),
    set_config('DateStyle', 'ISO, YMD', true),
    set_config('TimeZone', 'UTC', true),
    set_config('default_table_access_method', 'heap', true),
    set_config('row_security', 'off', true)
"""
EVERY_TRANSACTION = (PIN, DO_NOT_QUEUE)

TRY_TURN = text("""
SELECT
    set_config('idle_in_transaction_session_timeout', '0', true),
    pg_try_advisory_xact_lock(hashtextextended('attemptlog migrations', 0))
""")
TURN_PAUSE = 0.2
"""Seconds between two looks whether it is our turn."""

logger = logging.getLogger(__name__)


class MigrationError(CommandError):
    """The database cannot be reached, or it refuses the migration; the message says which and holds no password."""


class LockNotAvailable(MigrationError):
    """Somebody else has a table for longer than we may wait; nothing has been changed since the last step."""


@contextmanager
def connect(database_url: str) -> Iterator[Connection]:
    """A connection that is closed afterwards.

    Raises MigrationError if there is none to be had, or for what PostgreSQL refuses while it is in use.
    """
    # psycopg reads the URL itself: what libpq understands (sslmode, options, several hosts) means the same here.
    engine = create_engine("postgresql+psycopg://", creator=lambda: _open(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        kind = LockNotAvailable if isinstance(error.orig, psycopg.errors.LockNotAvailable) else MigrationError
        raise kind(_reason(error)) from error


@contextmanager
def turn(database_url: str) -> Iterator[None]:
    """Wait until no other migration of this database runs, and let none begin before the end.

    On a connection of its own, and without a statement that waits: an index that is made concurrently waits for every
    statement that is under way.
    """
    with connect(database_url) as connection:
        connection.execution_options(isolation_level="READ COMMITTED")  # or its snapshot would be waited for, too
        while not connection.execute(TRY_TURN).one()[1]:
            connection.rollback()
            time.sleep(TURN_PAUSE)
        yield


def give_way(migrate: Callable[[Connection], None], database_url: str) -> None:
    """Call `migrate` with a connection, and again while a table's lock is not to be had, for LOCK_PATIENCE seconds.

    It is called once where the URL, the role or the database says how long to wait.
    """
    last = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            with connect(database_url) as connection:
                if connection.scalar(text("SELECT current_setting('lock_timeout')")) != "0":
                    last = 0
                connection.rollback()
                return migrate(connection)
        except LockNotAvailable:
            if time.monotonic() >= last:
                raise
            time.sleep(LOCK_PAUSE)


def _open(database_url: str) -> psycopg.Connection:
    settings = _parse(database_url)
    try:
        connection = psycopg.connect(
            postgres.conninfo(database_url, connect_timeout=CONNECT_TIMEOUT),
            prepare_threshold=None,  # a pooler may have another server session for the next transaction
        )
    except psycopg.OperationalError as error:
        raise MigrationError(f"cannot connect to {_address(settings)}: {_why(error)}") from error
    connection.add_notice_handler(_log_warning)
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # who waits for a turn must see what was done
    if fault := postgres.wrong_encoding(connection.info.parameter_status("server_encoding") or "an unknown way"):
        connection.close()
        raise MigrationError(fault)
    return connection


def _parse(database_url: str) -> dict[str, str | int | None]:
    try:
        return conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        # Neither cause nor text of it: libpq quotes the URL, password included.
        raise MigrationError(
            "the database URL cannot be read: write it as postgresql://user:password@host:port/database"
        ) from None


def _address(settings: dict[str, str | int | None]) -> str:
    host, port = settings.get("host", "localhost"), settings.get("port", 5432)
    return f"PostgreSQL at {host}:{port}, database {settings.get('dbname', 'by default')}"


def _why(error: Exception) -> str:
    # The first line is: connection failed: connection to server at "db", port 5432 failed: Connection refused
    return _first_line(error).rpartition("failed: ")[2]


def _reason(error: DBAPIError) -> str:
    if not isinstance(error.orig, psycopg.Error):
        return _first_line(error)
    if fault := postgres.wrong_pooling(error.orig):
        return fault
    said = error.orig.diag
    told = ": ".join(part for part in (said.message_primary, said.message_detail, said.message_hint) if part)
    return told or _first_line(error.orig)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _log_warning(notice: psycopg.errors.Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        logger.warning("PostgreSQL warns: %s", notice.message_primary, extra={"action": "migration_warning"})
