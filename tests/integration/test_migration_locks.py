"""Whoever stores does not wait behind a migration that waits itself."""

import asyncio
import time

import psycopg
import pytest

from attemptlog import migrations
from attemptlog.migrations import MigrationError, database
from tests.support.eventually import eventually
from tests.support.lock_watch import watch_locks
from tests.support.storing import more_is_stored, storing

BEFORE_LOCKS = "0008"  # what comes next takes the strongest lock on attempt_events


async def test_a_migration_behind_a_long_report_lets_others_store_and_ends_when_that_does(
    empty_database_url: str,
) -> None:
    migrations.upgrade(empty_database_url, BEFORE_LOCKS)
    with storing(empty_database_url), watch_locks(empty_database_url) as watch:
        await more_is_stored(empty_database_url)
        with psycopg.connect(empty_database_url) as report:
            report.execute("LOCK TABLE attempt_events IN ACCESS SHARE MODE")
            migrating = asyncio.create_task(asyncio.to_thread(migrations.upgrade, empty_database_url))
            await eventually(lambda: watch.count >= 2)  # it has tried twice, and what is stored waited for both
            await more_is_stored(empty_database_url)
            assert not migrating.done()
        await migrating
        await more_is_stored(empty_database_url)
    watch.assert_short()
    assert migrations.current(empty_database_url) == migrations.head()


def test_a_migration_that_never_gets_its_lock_gives_up_in_the_end(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations.upgrade(empty_database_url, BEFORE_LOCKS)
    monkeypatch.setattr(database, "LOCK_PAUSE", 0.01)
    monkeypatch.setattr(database, "LOCK_PATIENCE", 1.0)
    began_at = time.monotonic()
    with psycopg.connect(empty_database_url) as report:
        report.execute("LOCK TABLE attempt_events IN ACCESS SHARE MODE")
        with pytest.raises(MigrationError, match="canceling statement due to lock timeout"):
            migrations.upgrade(empty_database_url)
    assert time.monotonic() - began_at > database.LOCK_PATIENCE
    assert migrations.current(empty_database_url) == BEFORE_LOCKS
