"""The documented indexes and the lean ones: one is made of the other beside whoever stores, and back."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg

from attemptlog import migrations
from attemptlog.migrations import IndexSet
from attemptlog.migrations.indexes import NEEDED, ONLY_IN
from tests.support.consumer import query
from tests.support.oldest_postgres import on_every_postgres

pytestmark = on_every_postgres

SPAWN = multiprocessing.get_context("spawn")
BRIN, PLAIN = "attempt_events_event_ts_brin_idx", "attempt_events_event_ts_idx"
REPEATS = ["attempt_events_event_type_idx", PLAIN, "attempt_events_user_id_idx"]
SECONDARY: LiteralString = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = 'attempt_events'::regclass AND NOT indisprimary AND indisvalid
"""
UNFINISHED: LiteralString = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
WAITING: LiteralString = """
    SELECT count(*)::int FROM pg_stat_progress_create_index
    WHERE datname = current_database() AND phase LIKE 'waiting%'
"""
DEFINITIONS: LiteralString = "SELECT indexdef FROM pg_indexes WHERE tablename = 'attempt_events'"


def run(database_url: str, *statements: LiteralString) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def there(database_url: str) -> set[str]:
    return set(query(database_url, SECONDARY))


def names(which: IndexSet) -> set[str]:
    return {*NEEDED, *ONLY_IN[which]}


@contextmanager
def report(database_url: str) -> Iterator[psycopg.Connection]:
    """A query that takes long, and reads nothing of attemptlog's: an index that is made waits for its end."""
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT FROM pg_class")
        yield connection


def test_the_lean_set_has_no_repeats_and_a_brin_and_the_way_back_leads_to_what_was_there(database_url: str) -> None:
    before = set(query(database_url, DEFINITIONS))
    assert migrations.find_indexes(database_url).nearest == "documented"
    done = migrations.use_indexes(database_url, "lean")
    assert (done.made, sorted(done.dropped)) == ([BRIN], sorted(REPEATS))
    assert there(database_url) == names("lean")
    assert [it for it in query(database_url, DEFINITIONS) if "USING brin (event_ts)" in it]
    again = migrations.use_indexes(database_url, "lean")
    assert (again.made, again.dropped) == ([], [])
    back = migrations.use_indexes(database_url, "documented")
    assert (sorted(back.made), back.dropped) == (sorted(REPEATS), [BRIN])
    assert set(query(database_url, DEFINITIONS)) == before
