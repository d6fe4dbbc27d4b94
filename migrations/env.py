"""Run by Alembic for every command: which database, and one migration at a time."""

import os

from alembic import context

from migrations.database import DO_NOT_QUEUE, VERSION_TABLE, MigrationError, connect, turn


def migrate() -> None:
    with context.begin_transaction():
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
    url = database_url()
    with turn(url), connect(url) as connection:
        context.configure(connection=connection, version_table=VERSION_TABLE)
        migrate()
