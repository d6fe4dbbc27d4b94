"""Settings of a role or a database that people have, and that must change nothing for us."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

SHADOW = """
    CREATE SCHEMA elsewhere;
    CREATE TABLE elsewhere.test_sessions (LIKE public.test_sessions);
    CREATE TABLE elsewhere.questions (LIKE public.questions);
    CREATE TABLE elsewhere.exam_questions (LIKE public.exam_questions);
    CREATE TABLE elsewhere.attempt_events (LIKE public.attempt_events);
    CREATE TABLE elsewhere.partition_ledger (LIKE public.partition_ledger);
    CREATE TABLE elsewhere.staged_events (nothing text);
    GRANT USAGE ON SCHEMA elsewhere TO PUBLIC;
    GRANT ALL ON ALL TABLES IN SCHEMA elsewhere TO PUBLIC
"""

UNUSUAL = {
    "client_encoding": ["LATIN1", "SQL_ASCII", "EUC_JP"],
    "DateStyle": ["SQL, DMY", "German", "Postgres, MDY"],
    "IntervalStyle": ["sql_standard", "iso_8601"],
    "TimeZone": ["Asia/Kathmandu", "America/New_York"],
    "standard_conforming_strings": ["off"],
    "backslash_quote": ["on"],
    "transform_null_equals": ["on"],
    "quote_all_identifiers": ["on"],
    "array_nulls": ["off"],
    "bytea_output": ["escape"],
    "extra_float_digits": ["-15"],
    "search_path": ["elsewhere, public", "elsewhere, public, pg_catalog", "pg_temp, elsewhere, public"],
    "default_transaction_isolation": ["serializable", "repeatable read", "read uncommitted"],
    "default_transaction_deferrable": ["on"],
    "synchronous_commit": ["off"],
    "statement_timeout": ["2s"],
    "lock_timeout": ["1ms"],
    "transaction_timeout": ["2s"],
    "idle_in_transaction_session_timeout": ["2s"],
    "jit_above_cost": ["0"],
    "enable_nestloop": ["off"],
    "enable_indexscan": ["off"],
    "enable_seqscan": ["off"],
    "plan_cache_mode": ["force_generic_plan"],
    "temp_buffers": ["100"],
    "check_function_bodies": ["off"],
    "row_security": ["off"],
    "client_min_messages": ["debug1"],
}


@contextmanager
def having(owners_url: str, role: str, settings: Mapping[str, str]) -> Iterator[None]:
    """Give a role these settings in the database of the URL, for a while."""
    with psycopg.connect(owners_url, autocommit=True) as connection:
        where = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(
            sql.Identifier(role), sql.Identifier(connection.info.dbname)
        )
        for name, value in settings.items():
            values = value.split(", ") if name == "search_path" else [value]
            given = sql.SQL(", ").join(map(sql.Literal, values))
            connection.execute(sql.SQL("{} SET {} = {}").format(where, sql.Identifier(name), given))
        try:
            yield
        finally:
            connection.execute(sql.SQL("{} RESET ALL").format(where))
