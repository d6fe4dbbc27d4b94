"""The database of a PostgreSQL of ours, and who may log in to it."""

import secrets
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from attemptlog.local_stack import PostgresServer

DATABASE = "attemptlog"


def own_database(postgres: PostgresServer) -> str:
    """Create the database unless it is there, and return its superuser's URL."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return postgres.database_url(DATABASE)


def login_as(database_url: str, role: str) -> str:
    """Give a login role with a new password the rights of `role`, and return its URL."""
    name, password = f"{role}_login", secrets.token_urlsafe(24)
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        if found is None:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(sql.Identifier(name), sql.Identifier(role))
            )
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
    url = urlsplit(database_url)
    address = url.netloc.rpartition("@")[2]
    return urlunsplit(url._replace(netloc=f"{name}:{quote(password, safe='')}@{address}"))
