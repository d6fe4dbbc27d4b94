"""The database schema and its history.

Every function takes a libpq connection URL (`postgresql://…`) and raises `MigrationError` when the database cannot be
reached or refuses. An upgrade or downgrade is one transaction: it happens as a whole or not at all. Only where there
are events already, 0009, 0010 and 0014 end the transaction to make their indexes beside whoever stores, and begin
another; what is interrupted in between goes on where it was when it is run again.

PostgreSQL 16, 17 and 18 are supported; each upgrade or downgrade ends with keys.sql, which is about what differs.
"""

from pathlib import Path

from attemptlog.runtime.extras import require

require("cli", __name__)

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from attemptlog.migrations.database import VERSION_TABLE, MigrationError, connect

__all__ = ["MigrationError", "current", "downgrade", "head", "is_newer", "upgrade"]

HEAD = "head"


def upgrade(database_url: str, revision: str = HEAD) -> None:
    """Bring the database up to `revision`. Harmless when it is there already; callers at the same time take turns.

    The head of a newer attemptlog is beyond ours, and stays: older programs run on newer tables.
    """
    if revision == HEAD and is_newer(current(database_url)):
        return
    try:
        command.upgrade(_config(database_url), revision)
    except CommandError as error:
        raise MigrationError(_told(error, database_url)) from error


def downgrade(database_url: str, revision: str) -> None:
    """Take the database back to `revision`; "base" undoes everything.

    A table that was there before attemptlog keeps its rows and its own columns, and loses the columns that were added.
    A table that attemptlog created is dropped if it is empty and else kept whole; only dead_letters, its replays,
    partition_ledger, topic_logs, event_sessions, event_questions, export_targets, export_batches and the figures that
    are kept are dropped with what is in them. It refuses while closed_ledgers has rows. A role is dropped with the last
    database that uses it.
    """
    try:
        command.downgrade(_config(database_url), revision)
    except CommandError as error:
        raise MigrationError(_told(error, database_url)) from error


def current(database_url: str) -> str | None:
    """The revision the database is at; None before the first upgrade."""
    with connect(database_url) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()


def head() -> str:
    """The newest revision there is: a database whose `current` differs is to be migrated before it is used."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def is_newer(revision: str | None) -> bool:
    """Whether a database's revision is one of a later attemptlog; they are numbered with leading zeros."""
    return revision is not None and revision > head()


def _told(error: CommandError, database_url: str) -> str:
    there = None if isinstance(error, MigrationError) else current(database_url)
    if is_newer(there):
        return f"the database is at {there}, which only a newer attemptlog knows: use the command of that one"
    return str(error)


def _config(database_url: str | None = None) -> Config:
    config = Config(attributes={"database_url": database_url})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
