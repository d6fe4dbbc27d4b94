"""From a real PostgreSQL into a target: every stored event is in it exactly once, whoever commits when."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from attemptlog import migrations
from attemptlog.event_store.errors import StoreUnavailable
from attemptlog.event_store.export_books import Books
from attemptlog.exporter.errors import DataError, SetUpError, Stopped
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.passes import Hooks, open_pass
from tests.support.export import MONDAY, Place, assert_equal, export, kill_exports, parquet_place, store, stored_rows
from tests.support.http import Exam, insert_exam
from tests.support.secured import login

BATCHES = 24  # that are exported while others write


@pytest.fixture
def exam(database_url: str) -> Exam:
    """Whose parents are entered already: who is the first to store an event of a session has others wait for that."""
    exam = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO event_sessions VALUES (%s, %s)", [exam.session, exam.user])
        connection.execute("INSERT INTO event_questions VALUES (%s)", [exam.question])
    return exam


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with parquet_place(tmp_path) as place:
        yield place


@pytest.fixture
def exporter_url(database_url: str) -> str:
    """The database's URL for a login that has nothing but the exporter's grants."""
    return login(database_url, "attemptlog_exporter", "secret")


def write_late(database_url: str, exam: Exam, number: int, until: threading.Event) -> None:
    """Store events in transactions that commit late, in savepoints, or not at all."""
    dice = random.Random(number)  # noqa: S311
    with psycopg.connect(database_url) as connection:
        while not until.is_set():
            with connection.transaction() as transaction:
                for _ in range(dice.randint(1, 20)):
                    store(connection, exam, dice.randint(1, 5))
                    with connection.transaction() as savepoint:
                        store(connection, exam)
                        if dice.random() < 0.3:
                            raise psycopg.Rollback(savepoint)
                until.wait(dice.choice([0, 0, 0, 0.002, 0.05, 0.4]))
                if dice.random() < 0.1:
                    raise psycopg.Rollback(transaction)


def test_eight_writers_that_commit_late_lose_nothing_and_double_nothing(
    database_url: str, exporter_url: str, exam: Exam, place: Place
) -> None:
    """`created_at`, a look-back or ordered ids lose a quarter of the rows here."""
    finished, batches = threading.Event(), 0
    writers = [threading.Thread(target=write_late, args=(database_url, exam, n, finished)) for n in range(8)]
    for thread in writers:
        thread.start()
    while batches < BATCHES:  # who writes faster than is exported keeps a pass from ending
        with open_pass(exporter_url, "here", place.open(), batch_rows=500) as one:
            batches += sum(1 for _ in islice(one.export(), BATCHES // 4))
    finished.set()
    for thread in writers:
        thread.join()
    export(exporter_url, place.open())
    assert len(stored_rows(database_url)) > 500
    assert_equal(database_url, place.rows())


def test_what_is_exported_is_what_is_stored_to_the_last_column(
    database_url: str, exporter_url: str, exam: Exam, place: Place
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 50)
        connection.execute(
            "INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id, payload_json,"
            " dropped) VALUES (gen_random_uuid(), 0, 'PAUSE_BLUR', '1999-12-31 23:59:59.999999+00', %s, %s, %s, %s)",
            [exam.session, exam.user, '{"text": "Zürich \\\\ \\"日本\\" \\n"}', '{"expired": 12345678901}'],
        )
    [receipt] = export(exporter_url, place.open())
    assert receipt.rows == 51
    assert_equal(database_url, place.rows())


def test_a_transaction_that_is_open_holds_back_what_came_after_it_and_nothing_is_lost(
    database_url: str, exam: Exam, place: Place
) -> None:
    with psycopg.connect(database_url) as early, psycopg.connect(database_url) as late:
        store(early, exam)
        store(late, exam)
        late.commit()
        assert export(database_url, place.open()) == []
        early.commit()
        assert [receipt.rows for receipt in export(database_url, place.open())] == [2]
    assert_equal(database_url, place.rows())


def test_batches_are_whole_transactions(database_url: str, exam: Exam, place: Place) -> None:
    with psycopg.connect(database_url) as connection:
        for rows in (3, 1, 6, 2):
            store(connection, exam, rows)
            connection.commit()
    assert [receipt.rows for receipt in export(database_url, place.open(), batch_rows=4)] == [4, 6, 2]
    assert export(database_url, place.open()) == []
    assert_equal(database_url, place.rows())


def test_events_from_before_are_exported_in_key_order_and_once(empty_database_url: str, place: Place) -> None:
    migrations.upgrade(empty_database_url, "0009")
    exam = insert_exam(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        store(connection, exam, 25)
    migrations.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        store(connection, exam, 5)
    receipts = export(empty_database_url, place.open(), batch_rows=10)
    assert [receipt.rows for receipt in receipts] == [10, 10, 5, 5]
    assert_equal(empty_database_url, place.rows())
    assert export(empty_database_url, place.open()) == []


def test_a_batch_that_was_committed_without_our_knowing_is_not_sent_again(
    database_url: str, exam: Exam, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 5)

    def broken(*_: Any) -> None:
        raise StoreUnavailable("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(Books, "commit", broken)
        with pytest.raises(StoreUnavailable):
            export(database_url, place.open())
    assert len(place.rows()) == 5
    assert [receipt.rows for receipt in export(database_url, place.open())] == [5]
    assert_equal(database_url, place.rows())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT state, attempts, rows FROM export_batches").fetchall() == [
            ("committed", 1, 5)
        ]


def test_only_one_exporter_has_a_target_at_a_time(database_url: str, place: Place) -> None:
    with open_pass(database_url, "here", place.open()), pytest.raises(StoreUnavailable, match="another exporter"):
        export(database_url, place.open())
    export(database_url, place.open())


def test_a_target_is_free_as_soon_as_an_exporter_has_ended(database_url: str) -> None:
    held = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE locktype = 'advisory' AND datname = current_database()"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(20):
            with Books(database_url, "here"):
                assert connection.execute(held).fetchall() == [(1,)]
            assert connection.execute(held).fetchall() == [(0,)]


def test_a_stop_leaves_a_batch_to_whoever_comes_next(database_url: str, exam: Exam, place: Place) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 5)
    answers = iter([False, True])  # before the batch, and at its first rows
    with pytest.raises(Stopped):
        export(database_url, place.open(), hooks=Hooks(is_stopping=lambda: next(answers)))
    assert place.rows() == []
    export(database_url, place.open())
    assert_equal(database_url, place.rows())


def test_a_time_that_no_calendar_has_stops_the_export_and_names_the_row(
    database_url: str, exam: Exam, place: Place
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
        store(connection, exam, 1, stream=(bad := uuid4()))
        connection.execute("SET LOCAL attemptlog.purge = 'on'; SET LOCAL session_replication_role = 'replica'")
        connection.execute("UPDATE attempt_events SET client_ts = 'infinity' WHERE stream_id = %s", [bad])
        [(row,)] = connection.execute("SELECT id::text FROM attempt_events WHERE stream_id = %s", [bad]).fetchall()
    with pytest.raises(DataError, match="client_ts") as caught:
        export(database_url, place.open())
    assert caught.value.row == row
    assert place.rows() == []


# What is sent again


def test_what_is_sent_again_is_added_where_it_is_lacking_and_moves_nothing(
    database_url: str, exam: Exam, place: Place
) -> None:
    with psycopg.connect(database_url) as connection:
        for day in range(4):
            store(connection, exam, 5, event_ts=MONDAY + timedelta(days=day))
            connection.commit()
    export(database_url, place.open())
    with psycopg.connect(database_url) as connection:
        store(connection, exam)
        connection.commit()
        with open_pass(database_url, "here", place.open(), batch_rows=4) as one:
            before = connection.execute("SELECT horizon, backfill_after FROM export_targets").fetchall()
            assert sum(receipt.rows for receipt in one.send_again(MONDAY + timedelta(days=2))) == 10
        assert connection.execute("SELECT horizon, backfill_after FROM export_targets").fetchall() == before
    assert len(place.rows()) == 20
    export(database_url, place.open())
    assert_equal(database_url, place.rows())


# Books and target that are not of each other


def test_a_database_that_was_restored_from_before_is_recognised(database_url: str, exam: Exam, place: Place) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        store(connection, exam, 3)
        export(database_url, place.open())
        connection.execute("CREATE TABLE backup AS TABLE export_batches; CREATE TABLE t AS TABLE export_targets")
        store(connection, exam, 2)
        export(database_url, place.open())
        connection.execute("DELETE FROM export_batches WHERE id NOT IN (SELECT id FROM backup)")
        connection.execute("UPDATE export_targets SET horizon = t.horizon FROM t")
    with pytest.raises(SetUpError, match=r"of which this database knows nothing.*resync"):
        export(database_url, place.open())
    assert len(place.rows()) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE export_targets SET system_identifier = 7", "another server"),
        ("UPDATE export_targets SET horizon = '999999999999'", "it was restored"),
        (
            "SET LOCAL attemptlog.purge = 'on'; SET LOCAL session_replication_role = 'replica';"
            " UPDATE attempt_events SET export_xid = '999999999999'",
            "it was restored",
        ),
    ],
)
def test_transactions_of_another_server_are_recognised_and_a_resync_goes_on(
    database_url: str, exam: Exam, place: Place, change: str, message: str
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
    export(database_url, place.open())
    with psycopg.connect(database_url) as connection:
        connection.execute(change.encode())
        connection.commit()
        store(connection, exam, 2)
    with pytest.raises(SetUpError, match=message):
        export(database_url, place.open())
    resync(database_url, place)
    for _ in range(2):
        export(database_url, place.open())
        assert_equal(database_url, place.rows())
        with psycopg.connect(database_url) as connection:
            store(connection, exam, 2)


def test_a_target_that_was_emptied_is_recognised_and_filled_by_a_resync(
    database_url: str, exam: Exam, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
    export(database_url, ParquetDirectory(tmp_path / "one"))
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
    with parquet_place(tmp_path) as place:
        with pytest.raises(SetUpError, match="emptied"):
            export(database_url, place.open())
        resync(database_url, place)
        export(database_url, place.open())
        assert_equal(database_url, place.rows())


def test_a_target_of_another_database_is_recognised(
    database_url: str, empty_database_url: str, place: Place, exam: Exam
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 3)
    export(database_url, place.open())
    migrations.upgrade(empty_database_url)
    with pytest.raises(SetUpError, match="knows nothing"):
        export(empty_database_url, place.open())


def resync(database_url: str, place: Place) -> None:
    with Books(database_url, "here") as books, place.open() as target:
        target.claim(books.fence)
        books.resync(target.latest())


def test_events_that_come_during_a_resync_are_exported_once(database_url: str, exam: Exam, place: Place) -> None:
    with ExitStack() as stack:
        early, late = (stack.enter_context(psycopg.connect(database_url)) for _ in range(2))
        store(late, exam, 9)
        late.commit()
        export(database_url, place.open())
        store(early, exam, 2)
        store(late, exam, 4)
        late.commit()
        resync(database_url, place)
        export(database_url, place.open(), batch_rows=5)
        early.commit()
        export(database_url, place.open(), batch_rows=5)
    assert_equal(database_url, place.rows())


def test_a_moment_is_told_up_to_which_everything_is_exported(database_url: str, exam: Exam, place: Place) -> None:
    before = datetime.now(UTC)
    with psycopg.connect(database_url) as early, psycopg.connect(database_url) as late:
        store(early, exam)
        store(late, exam)
        late.commit()
        began = late.execute("SELECT max(created_at) FROM attempt_events").fetchall()[0][0]
        export(database_url, place.open())
        late.rollback()
        assert late.execute("SELECT exported_until FROM export_targets").fetchall() == [(began,)]
        late.rollback()
        early.commit()
        export(database_url, place.open())
        assert late.execute("SELECT exported_until > %s FROM export_targets", [before]).fetchall() == [(True,)]


# Killed


@pytest.mark.parametrize("seed", [1, 2])
def test_an_exporter_that_is_killed_at_any_step_loses_nothing_and_doubles_nothing(
    database_url: str, exam: Exam, place: Place, tmp_path: Path, seed: int
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 100)
    kill_exports(database_url, str(tmp_path / "events"), exam, seed=seed, kills=12)
    assert_equal(database_url, place.rows())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT DISTINCT state FROM export_batches").fetchall() == [("committed",)]
