"""Run by Alembic for every command: which database, and one migration at a time."""

import os

from alembic import context

from migrations.database import VERSION_TABLE, MigrationError, connect

# Waits for a migration that is already running; lock_timeout comes after it because this wait is meant to be long.
TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended('attemptlog migrations', 0))"

# An ALTER TABLE that queues behind a long query holds up everything that comes after it: rather fail and be run again.
# Who wants to wait longer says so in the URL: ?options=-c%20lock_timeout%3D60s
DO_NOT_QUEUE = "SELECT set_config('lock_timeout', '10s', true) WHERE current_setting('lock_timeout') = '0'"


def migrate() -> None:
    with context.begin_transaction():
        context.execute(TAKE_TURNS)
        context.execute(DO_NOT_QUEUE)
        context.run_migrations()


def database_url() -> str:
    url = context.config.attributes.get("database_url") or os.environ.get("ATTEMPTLOG_DATABASE_URL")
    if not url:
        raise MigrationError("set ATTEMPTLOG_DATABASE_URL to the database that is to be migrated")
    return str(url)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, version_table=VERSION_TABLE)
    migrate()
else:
    with connect(database_url()) as connection:
        context.configure(connection=connection, version_table=VERSION_TABLE)
        migrate()
