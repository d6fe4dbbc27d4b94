"""Run by Alembic for every command: which database, and one migration at a time."""

import os
from pathlib import Path

from alembic import context
from sqlalchemy import Connection

from attemptlog.migrations.database import EVERY_TRANSACTION, VERSION_TABLE, MigrationError, give_way, turn

REFUSE_REPLICATION_ROLE = """
DO $$
BEGIN
    IF current_setting('session_replication_role') <> 'origin' THEN
        RAISE EXCEPTION 'session_replication_role is %, which turns off triggers and foreign keys',
            current_setting('session_replication_role')
        USING HINT = format('Take it back with ALTER ROLE %I RESET session_replication_role.', session_user);
    END IF;
END
$$
"""

CHECK_KEYS = Path(__file__).with_name("keys.sql").read_text("utf-8")


def migrate() -> None:
    with context.begin_transaction():
        for statement in (*EVERY_TRANSACTION, REFUSE_REPLICATION_ROLE):
            context.execute(statement)
        context.run_migrations()
        if is_migration():
            context.execute(CHECK_KEYS)


def migrate_by(connection: Connection) -> None:
    context.configure(connection=connection, version_table=VERSION_TABLE)
    migrate()


def is_migration() -> bool:
    """Whether the command takes the database somewhere; `alembic current` runs this file, too, and only looks."""
    return "destination_rev" in context.get_context().opts


def database_url() -> str:
    url = context.config.attributes.get("database_url") or os.environ.get("ATTEMPTLOG_DATABASE_URL")
    if not url:
        raise MigrationError("set ATTEMPTLOG_DATABASE_URL to the database that is to be migrated")
    return str(url)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, version_table=VERSION_TABLE)
    migrate()
else:
    url = database_url()
    with turn(url):
        give_way(migrate_by, url)
