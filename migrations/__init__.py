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

from attemptlog.migrations.database import VERSION_TABLE, MigrationError, connect, turn
from attemptlog.migrations.indexes import Indexes, IndexSet, Switch, find, switch

__all__ = [
    "HEAD",
    "IndexSet",
    "Indexes",
    "MigrationError",
    "Switch",
    "current",
    "downgrade",
    "find_indexes",
    "head",
    "is_newer",
    "upgrade",
    "use_indexes",
]

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


def use_indexes(database_url: str, wanted: IndexSet) -> Switch:
    """Have attempt_events of a migrated database indexed by this set, beside whoever writes, and return what was done.

    Harmless where it is so already; callers at the same time take turns. It waits for every transaction that was open
    before, as CREATE INDEX CONCURRENTLY does. What is interrupted goes on where it was when it is run again.
    """
    with turn(database_url):
        if (there := current(database_url)) != head():
            below = f"the database is at {there or 'base'}: migrate it to {head()} first"
            raise MigrationError(_beyond(there) or below)
        with connect(database_url) as connection:
            return switch(connection, wanted)


def find_indexes(database_url: str) -> Indexes:
    """Which of our indexes attempt_events has; the database has to be migrated."""
    with connect(database_url) as connection:
        return find(connection)


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
    return _beyond(there) or str(error)


def _beyond(revision: str | None) -> str | None:
    if not is_newer(revision):
        return None
    return f"the database is at {revision}, which only a newer attemptlog knows: use the command of that one"


def _config(database_url: str | None = None) -> Config:
    config = Config(attributes={"database_url": database_url})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
