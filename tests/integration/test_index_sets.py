"""The documented indexes and the lean ones: one is made of the other beside whoever stores, and back."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import LiteralString
from uuid import UUID

import orjson
import psycopg
import pytest
from typer.testing import CliRunner, Result

from attemptlog import migrations
from attemptlog.cli.app import app
from attemptlog.cli.doctor import _database
from attemptlog.event_store.retention_sql import NEXT_EVENTS
from attemptlog.migrations import IndexSet, MigrationError
from attemptlog.migrations.indexes import BRIN, ONLY_IN, SETS
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from tests.support.consumer import query
from tests.support.eventually import eventually
from tests.support.filled import fill
from tests.support.lock_watch import watch_locks
from tests.support.oldest_postgres import on_every_postgres
from tests.support.storing import more_is_stored, storing

SPAWN = multiprocessing.get_context("spawn")
OTHERS = list(ONLY_IN["documented"])
SECONDARY: LiteralString = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = 'attempt_events'::regclass AND NOT indisprimary AND indisvalid
"""
UNFINISHED: LiteralString = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
WAITING: LiteralString = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s
"""
CANCEL: LiteralString = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s
"""
ASKS_WHETHER_ONE_IS_MADE: LiteralString = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE '%%pg_stat_progress_create_index%%' AND pid <> pg_backend_pid()
"""
DEFINITIONS: LiteralString = "SELECT indexdef FROM pg_indexes WHERE tablename = 'attempt_events'"
NARROW: LiteralString = """
    CREATE TABLE attempt_events (
        id uuid, session_id uuid, user_id uuid, event_type text, event_ts timestamptz, payload_json jsonb,
        created_at timestamptz
    )
"""


def run(database_url: str, *statements: LiteralString) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def there(database_url: str) -> set[str]:
    return set(query(database_url, SECONDARY))


def command(database_url: str, *arguments: str) -> Result:
    environment = {"ATTEMPTLOG_DATABASE_URL": database_url, "COLUMNS": "400"}
    return CliRunner().invoke(app, ["migrate", *arguments], env=environment)


async def doctor(database_url: str) -> str:
    return await _database(OperatorSettings(database_url=database_url))


@contextmanager
def report(database_url: str) -> Iterator[None]:
    """A query of the platform that takes long: until it ends, no index is finished, and none is gone."""
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT FROM attempt_events LIMIT 1")
        yield


# From one to the other and back


@on_every_postgres
def test_the_lean_set_has_no_repeats_and_a_brin_and_the_way_back_leads_to_what_was_there(database_url: str) -> None:
    before = set(query(database_url, DEFINITIONS))
    assert there(database_url) == SETS["documented"].keys()
    done = migrations.use_indexes(database_url, "lean")
    assert (done.made, sorted(done.dropped)) == ([BRIN], sorted(OTHERS))
    assert there(database_url) == SETS["lean"].keys()
    assert [it for it in query(database_url, DEFINITIONS) if "USING brin (event_ts)" in it]
    again = migrations.use_indexes(database_url, "lean")
    assert (again.made, again.dropped) == ([], [])
    back = migrations.use_indexes(database_url, "documented")
    assert (sorted(back.made), back.dropped) == (sorted(OTHERS), [BRIN])
    assert set(query(database_url, DEFINITIONS)) == before


def test_the_command_says_what_it_did_and_without_the_option_leaves_what_is_there(empty_database_url: str) -> None:
    head = migrations.head()
    first = command(empty_database_url, "--indexes", "lean")
    assert f"at {head}, was at base." in first.stdout
    assert f"are the lean ones, made {BRIN}; dropped {', '.join(OTHERS)}." in first.stdout
    plain = command(empty_database_url)
    assert (plain.exit_code, "indexes" in plain.stdout) == (0, False)
    assert there(empty_database_url) == SETS["lean"].keys()
    assert "are the lean ones, as before." in command(empty_database_url, "--indexes", "lean").stdout
    data = orjson.loads(command(empty_database_url, "--indexes", "documented", "--json").stdout)
    assert data["indexes"] == {"set": "documented", "made": OTHERS, "dropped": [BRIN]}
    assert there(empty_database_url) == SETS["documented"].keys()


@pytest.mark.parametrize("way", ["--to", "--down"])
def test_no_other_revision_is_indexed(database_url: str, way: str) -> None:
    refused = command(database_url, way, "0010", "--indexes", "lean")
    assert (refused.exit_code, "give it without --to and --down" in refused.output) == (1, True)
    migrations.downgrade(database_url, "0010")
    with pytest.raises(MigrationError, match=f"is at 0010: migrate it to {migrations.head()} first"):
        migrations.use_indexes(database_url, "lean")
    assert there(database_url) == SETS["documented"].keys()


def test_what_a_newer_version_made_is_left_to_it(database_url: str) -> None:
    run(database_url, "UPDATE attemptlog_version SET version_num = '9000'")
    refused = command(database_url, "--indexes", "lean")
    assert (refused.exit_code, "which only a newer attemptlog knows" in refused.output) == (1, True)
    assert there(database_url) == SETS["documented"].keys()


def test_an_index_of_the_platforms_under_a_name_of_ours_is_named_and_stays(database_url: str) -> None:
    run(
        database_url,
        "DROP INDEX attempt_events_user_id_idx",
        "CREATE INDEX attempt_events_user_id_idx ON attempt_events (user_id, seq) INCLUDE (id) WHERE seq > 1",
    )
    with pytest.raises(MigrationError, match=r"\(btree \(user_id, seq\) INCLUDE \(id\) WHERE \(seq > 1\)\): rename it"):
        migrations.use_indexes(database_url, "lean")
    assert there(database_url) == SETS["documented"].keys()


# Beside others


def waits(database_url: str, statement: str) -> bool:
    """Whether a statement that begins so waits for another's transaction."""
    found = query(database_url, WAITING, f"{statement}%")
    return found != [0]


@pytest.mark.parametrize(("surplus", "statement"), [(False, "CREATE INDEX"), (True, "DROP INDEX")])
async def test_whoever_stores_does_not_wait_and_a_long_report_delays_nobody_else(
    database_url: str, surplus: bool, statement: str
) -> None:
    if surplus:
        migrations.use_indexes(database_url, "lean")
        run(database_url, SETS["documented"][OTHERS[0]].statement)
    with storing(database_url), watch_locks(database_url) as watch:
        with report(database_url):
            switching = asyncio.create_task(asyncio.to_thread(migrations.use_indexes, database_url, "lean"))
            await eventually(lambda: waits(database_url, statement))
            await more_is_stored(database_url)
            assert not switching.done()
        await switching
        await asyncio.to_thread(migrations.use_indexes, database_url, "documented")
        await more_is_stored(database_url)
    watch.assert_short()
    assert there(database_url) == SETS["documented"].keys()


def test_those_at_the_same_time_take_turns(database_url: str) -> None:
    wanted: list[IndexSet] = ["lean", "documented", "lean"]
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(migrations.use_indexes, [database_url] * len(wanted), wanted))
    assert [it.wanted for it in done] == wanted
    assert there(database_url) in (SETS["lean"].keys(), SETS["documented"].keys())
    assert query(database_url, UNFINISHED) == []


@pytest.mark.parametrize(("surplus", "to"), [(False, "lean"), (False, "documented"), (True, "documented")])
async def test_what_was_interrupted_goes_on_either_way(database_url: str, surplus: bool, to: IndexSet) -> None:
    if surplus:  # then the first thing that it has to do is to drop one
        run(database_url, SETS["lean"][BRIN].statement)
    statement = "DROP INDEX" if surplus else "CREATE INDEX"
    with report(database_url):
        switching = asyncio.create_task(asyncio.to_thread(migrations.use_indexes, database_url, "lean"))
        await eventually(lambda: waits(database_url, statement))
        assert query(database_url, CANCEL, f"{statement}%") == [True]
        with pytest.raises(MigrationError, match="canceling statement due to user request"):
            await switching
    [unfinished] = query(database_url, UNFINISHED)
    assert unfinished == (OTHERS[0] if surplus else BRIN)
    with pytest.raises(OperatorError, match=f"{unfinished} is unfinished"):
        await doctor(database_url)
    migrations.use_indexes(database_url, to)
    assert query(database_url, UNFINISHED) == []
    assert there(database_url) == SETS[to].keys()


@on_every_postgres
async def test_one_that_was_killed_and_what_postgresql_still_does_for_it(database_url: str) -> None:
    with report(database_url):
        killed = SPAWN.Process(target=migrations.use_indexes, args=(database_url, "lean"))
        killed.start()
        await eventually(lambda: waits(database_url, "CREATE INDEX"))
        killed.kill()
        killed.join()
        again = asyncio.create_task(asyncio.to_thread(migrations.use_indexes, database_url, "lean"))
        await eventually(lambda: query(database_url, ASKS_WHETHER_ONE_IS_MADE) != [0])
        assert not again.done()
    assert (await again).wanted == "lean"
    assert query(database_url, UNFINISHED) == []
    assert there(database_url) == SETS["lean"].keys()


# Migrations and what somebody does by hand


@pytest.mark.parametrize("is_used", [True, False])
def test_migrations_go_down_and_up_from_the_lean_set(database_url: str, is_used: bool) -> None:
    if is_used:
        fill(database_url, 2)
    migrations.use_indexes(database_url, "lean")
    events = query(database_url, "SELECT to_jsonb(e) FROM attempt_events e ORDER BY id")
    for revision in ("0008", "base"):
        migrations.downgrade(database_url, revision)
        migrations.upgrade(database_url)
        kept: IndexSet = "lean" if is_used or revision != "base" else "documented"
        assert there(database_url) == SETS[kept].keys()
        assert query(database_url, "SELECT to_jsonb(e) FROM attempt_events e ORDER BY id") == events


@on_every_postgres
def test_a_table_of_the_platforms_is_rid_of_the_lean_ones(empty_database_url: str) -> None:
    run(empty_database_url, NARROW)
    migrations.upgrade(empty_database_url)
    migrations.use_indexes(empty_database_url, "lean")
    migrations.downgrade(empty_database_url, "base")
    assert there(empty_database_url) == set()
    migrations.upgrade(empty_database_url)
    assert there(empty_database_url) == SETS["documented"].keys()


@pytest.mark.parametrize(
    ("which", "besides"),
    [("documented", SETS["lean"][BRIN].statement), ("lean", SETS["documented"][OTHERS[0]].statement)],
)
async def test_the_doctor_says_which_is_there_and_what_was_done_by_hand(
    database_url: str, which: IndexSet, besides: LiteralString
) -> None:
    migrations.use_indexes(database_url, which)
    assert f"the indexes of attempt_events are the {which} ones, and" in await doctor(database_url)
    run(database_url, besides)
    added = BRIN if which == "documented" else OTHERS[0]
    assert f"nearest to the {which} ones: {added} is there besides; `attemptlog migrate" in await doctor(database_url)
    run(database_url, "DROP INDEX attempt_events_question_id_idx")
    with pytest.raises(OperatorError, match=f"attempt_events_question_id_idx is missing, {added} is there besides"):
        await doctor(database_url)
    migrations.use_indexes(database_url, which)
    assert f"the indexes of attempt_events are the {which} ones, and" in await doctor(database_url)


def test_what_was_dropped_by_hand_keeps_no_migration_from_going_down(empty_database_url: str) -> None:
    run(empty_database_url, NARROW)
    migrations.upgrade(empty_database_url)
    run(empty_database_url, *("DROP INDEX " + name for name in SETS["documented"]))
    migrations.downgrade(empty_database_url, "base")
    assert there(empty_database_url) == set()


def test_a_retention_reads_what_goes_by_an_index_of_the_lean_set(database_url: str) -> None:
    fill(database_url, 20_000)
    migrations.use_indexes(database_url, "lean")
    page = {"after_ts": "2026-01-01", "after_id": UUID(int=0), "before": "2026-01-01 00:00:00.5", "limit": 100}
    with psycopg.connect(database_url) as connection:
        plan = connection.execute(f"EXPLAIN {NEXT_EVENTS}", page | {"event_type": "ANSWER_SELECTED"}).fetchall()
    assert "attempt_events_event_type_event_ts_idx" in "".join(line for (line,) in plan)
