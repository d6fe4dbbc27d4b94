"""PostgreSQL: its address, and transactions that mean the same whatever role, database and environment say."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from psycopg import Error, ProgrammingError, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import AfterValidator, SecretStr

ENCODING = "UTF8"
MAX_PORT = 65_535

SETTINGS = {
    "client_encoding": ENCODING,  # COPY hands over bytes: in any other encoding they would be other characters
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "array_nulls": "on",  # or a NULL in an array of parameters arrives as the text NULL
    "bytea_output": "hex",
    "row_security": "off",  # a statement from which a policy would hide rows is an error then
    "jit": "off",  # compiling takes longer than any statement of ours
    "statement_timeout": "0",
    "lock_timeout": "0",  # waiting for a lock is part of the statement's time
    "idle_in_transaction_session_timeout": "0",
}
"""What would change what is stored or read, or end it half way; a service puts its own limits in place of the zeros."""

NOTHING: Mapping[str, str] = {}

# Names that are in our schema, or are the tables that events refer to, mean these, whatever schema is put in front.
SURVEY = """
WITH ours AS (
    SELECT relnamespace
    FROM pg_class
    WHERE oid = to_regclass('attemptlog_version')
),
schemas AS (
    SELECT relnamespace, 0 AS place
    FROM ours
    UNION
    SELECT parent.relnamespace, 1
    FROM ours
    JOIN pg_class event ON event.relnamespace = ours.relnamespace AND event.relname = 'attempt_events'
    JOIN pg_constraint ON conrelid = event.oid AND contype = 'f'
    JOIN pg_class parent ON parent.oid = confrelid
    WHERE conname = ANY(ARRAY[
        'attempt_events_session_id_fkey', 'attempt_events_user_id_fkey', 'attempt_events_question_id_fkey'
    ])
)
SELECT
    current_user::text,
    getdatabaseencoding()::text,
    current_setting('session_replication_role'),
    current_setting('synchronous_commit'),
    current_setting('search_path'),
    current_setting('transaction_timeout', true) IS NOT NULL, -- from version 17 on
    ARRAY(SELECT quote_ident(nspname) FROM schemas JOIN pg_namespace n ON n.oid = relnamespace ORDER BY place),
    ARRAY(
        SELECT quote_ident(nspname)
        FROM pg_class
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relname = 'attemptlog_version'
    )
"""


class Survey(NamedTuple):
    """What a connection finds: a row of SURVEY.

    `schemas` are those of the tables that are meant, `installed_in` all that have tables of ours.
    """

    role: str
    encoding: str
    replication_role: str
    synchronous_commit: str
    search_path: str
    has_transaction_timeout: bool
    schemas: list[str]
    installed_in: list[str]


def conninfo(url: str, **defaults: Any) -> str:
    """Return the connection string of a URL, with UTF8 whatever else says, and defaults for what the URL leaves open.

    Raises psycopg.ProgrammingError for a URL that cannot be read.
    """
    return make_conninfo(**(defaults | conninfo_to_dict(url) | {"client_encoding": ENCODING}))


def pin(survey: Survey, settings: Mapping[str, str] = NOTHING) -> sql.Composed:
    """Return the first statement of every transaction: SETTINGS, and on top of them `settings`.

    It holds for that transaction only: behind a pooler such as PgBouncer the next one may run in another session of the
    server, and somebody else's in this one. It has no parameters, which would cost more than all the rest of it.
    """
    pinned = {**SETTINGS, **settings}
    if survey.synchronous_commit == "off":  # or what was counted as stored would be gone after a crash
        pinned["synchronous_commit"] = "on"
    if survey.schemas:
        pinned["search_path"] = _path(survey)
    if survey.has_transaction_timeout:
        pinned["transaction_timeout"] = "0"
    calls = [sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in pinned.items()]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))


def _path(survey: Survey) -> str:
    # Both would be searched first if they were not named: built-in operators stay so, temporary tables do not.
    return ", ".join(filter(None, ["pg_catalog", *survey.schemas, survey.search_path, "pg_temp"]))


def unfit(survey: Survey) -> str | None:
    """Return why nothing can be stored or read here and what to do, in one sentence; None when it can."""
    if fault := wrong_encoding(survey.encoding):
        return fault
    if survey.replication_role != "origin":
        return (
            f"the role {survey.role} has session_replication_role = {survey.replication_role}, which turns off "
            f"triggers and foreign keys: take it back with ALTER ROLE {survey.role} RESET session_replication_role"
        )
    if survey.installed_in and not survey.schemas:
        schema = survey.installed_in[0]
        return (
            f"the tables are in the schema {schema}, and the role {survey.role} does not look there (search_path is "
            f"{survey.search_path}) or may not: GRANT USAGE ON SCHEMA {schema} TO {survey.role}, and "
            f"ALTER ROLE {survey.role} SET search_path = {schema}"
        )
    return None


def wrong_encoding(encoding: str) -> str | None:
    """Return why a database of this encoding is refused, None for UTF8."""
    if encoding == ENCODING:
        return None
    return (
        f"the database is encoded in {encoding}, which cannot hold every event: "
        "use one made with CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
    )


def wrong_pooling(error: Error) -> str | None:
    """Return why nothing can be done behind this pooler, None where it is no pooler that says so."""
    if "statement pooling mode" not in str(error):
        return None
    return "PgBouncer lends a server session for one statement only: set pool_mode = transaction, or session"


def _readable(url: SecretStr) -> SecretStr:
    try:
        ports = str(conninfo_to_dict(url.get_secret_value()).get("port", ""))
    except ProgrammingError:  # libpq quotes the URL, password included
        raise ValueError("is not a PostgreSQL URL (postgresql://user:password@host/database)") from None
    if not all(map(_is_port, filter(None, ports.split(",")))):  # libpq looks only when it connects
        raise ValueError("has a port that is not a number from 1 to 65535")
    return url


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PORT


DatabaseUrl = Annotated[SecretStr, AfterValidator(_readable)]
