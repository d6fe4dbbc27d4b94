"""Purges, followed by the exporter: whom PostgreSQL has forgotten, the target forgets before anything else comes."""

import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from attemptlog.event_store.accesses import Looker
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.export_books import Books
from attemptlog.event_store.export_status import ExportStatus, read_status
from attemptlog.exporter.audit import TargetAudit, audit_target
from attemptlog.exporter.errors import NotAvailable, TransientError
from attemptlog.exporter.forgetting import follow_purges
from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.passes import Hooks, open_pass
from attemptlog.exporter.service import Exporter
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.exporter.target import Receipt, Target
from attemptlog.runtime.pseudonyms import Pseudonyms
from tests.support.export import MONDAY, Place, assert_equal, parquet_place, store
from tests.support.http import Exam, insert_exam
from tests.support.secured import login
from tests.support.suppression import KEY, OURS, suppress

ERASE = "DELETE FROM attempt_events WHERE user_id = ANY(%(users)s::uuid[]) OR session_id = ANY(%(sessions)s::uuid[])"


@pytest.fixture
def anna(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def other(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with parquet_place(tmp_path) as place:
        yield place


@pytest.fixture
def exporter_url(database_url: str) -> str:
    """The database's URL for a login that has nothing but the exporter's grants."""
    return login(database_url, "attemptlog_exporter", "secret")


def store_all(database_url: str, *exams: Exam, rows: int = 4) -> None:
    """Store events of two days, each session's in a transaction of its own."""
    for exam in exams:
        with psycopg.connect(database_url) as connection:
            for day in range(2):
                store(connection, exam, rows // 2, event_ts=MONDAY + timedelta(days=day))


def begin_purge(database_url: str, *exams: Exam, users: Iterable[str] | None = None) -> int:
    """Suppress persons and their sessions, as the first of whom the purge goes by; return its number."""
    users = [exam.user for exam in exams] if users is None else list(users)
    sessions = [exam.session for exam in exams]
    with psycopg.connect(database_url) as connection:
        purge = suppress(connection, users=users, sessions=sessions)
        subject = OURS.of_user(users[0].encode()) if users else OURS.of_session(sessions[0].encode())
        connection.execute("UPDATE purges SET subject = %s WHERE id = %s", [subject, purge])
    return purge


def end_purge(database_url: str, purge: int, *exams: Exam) -> None:
    """Erase them from PostgreSQL."""
    whom = {"users": [exam.user for exam in exams], "sessions": [exam.session for exam in exams]}
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL attemptlog.purge = 'on'")
        connection.execute(ERASE, whom)
        connection.execute("UPDATE purges SET finished_at = now() WHERE id = %s", [purge])


def purge(database_url: str, *exams: Exam) -> int:
    number = begin_purge(database_url, *exams)
    end_purge(database_url, number, *exams)
    return number


def retire(database_url: str, exam: Exam, *, keeps_exports: bool) -> int:
    """Do what a retention does to a session."""
    number = begin_purge(database_url, exam, users=())
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE purges SET kind = 'retention', subject = NULL, subject_kind = NULL, ended_before = now(),"
            " keeps_exports = %s WHERE id = %s",
            [keeps_exports, number],
        )
    end_purge(database_url, number, replace(exam, user=str(uuid4())))
    return number


def lift(database_url: str, number: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM suppressions WHERE purge_id = %s", [number])


def export(
    url: str, target: Target, hooks: Hooks | None = None, pseudonyms: Pseudonyms | None = OURS, rows: int = 1_000_000
) -> list[Receipt]:
    with open_pass(url, "here", target, hooks, rows, pseudonyms=pseudonyms) as one:
        return list(one.export())


def done(database_url: str) -> dict[int, int | None]:
    """Return how many rows went in the target with each purge that is done there."""
    with psycopg.connect(database_url) as connection:
        return dict(connection.execute("SELECT purge_id, rows FROM purge_targets WHERE target = 'here'").fetchall())


def status(database_url: str) -> ExportStatus:
    [found] = read_status(database_url, "here")
    return found


def audit(database_url: str, place: Place, pseudonyms: Pseudonyms | None = OURS) -> TargetAudit:
    return audit_target(database_url, "here", place.open(), pseudonyms)


def assert_forgotten(database_url: str, place: Place, *exams: Exam) -> None:
    assert place.traces(*(name for exam in exams for name in (exam.user, exam.session))) == {}
    assert_equal(database_url, place.rows())
    assert audit(database_url, place).differences == []


def test_whom_postgresql_has_forgotten_the_target_forgets_before_anything_new_comes(
    database_url: str, exporter_url: str, anna: Exam, other: Exam, place: Place
) -> None:
    store_all(database_url, anna, other)
    export(exporter_url, place.open())
    number = purge(database_url, anna)
    store_all(database_url, other)
    assert status(database_url).pending_purges == 1
    forgotten: list[int] = []
    assert [receipt.rows for receipt in export(exporter_url, place.open(), Hooks(forgotten=forgotten.append))] == [4]
    assert_forgotten(database_url, place, anna)
    assert (done(database_url), sum(forgotten)) == ({number: 4}, 4)
    found = status(exporter_url)
    assert (found.pending_purges, found.exported_rows, found.forgotten_rows) == (0, 12, 4)


def test_a_session_that_was_purged_takes_nothing_else_of_its_person(
    database_url: str, anna: Exam, place: Place
) -> None:
    second = replace(anna, session=str(uuid4()))
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO test_sessions (id, user_id) VALUES (%s, %s)", [second.session, anna.user])
    store_all(database_url, anna, second)
    export(database_url, place.open())
    number = begin_purge(database_url, second, users=())
    end_purge(database_url, number, replace(second, user=str(uuid4())))
    export(database_url, place.open())
    assert done(database_url) == {number: 4}
    assert place.traces(second.session) == {}
    assert_equal(database_url, place.rows())


def test_every_purge_counts_its_own_rows(database_url: str, anna: Exam, other: Exam, place: Place) -> None:
    third = insert_exam(database_url)
    store_all(database_url, anna, other, third)
    export(database_url, place.open())
    purges = [purge(database_url, anna), purge(database_url, anna, other), purge(database_url, anna)]
    export(database_url, place.open())
    assert done(database_url) == dict(zip(purges, (4, 4, 0), strict=True))
    assert_forgotten(database_url, place, anna, other)


def test_a_purge_that_is_not_finished_is_waited_for(database_url: str, anna: Exam, place: Place) -> None:
    store_all(database_url, anna)
    number = begin_purge(database_url, anna)
    export(database_url, place.open())
    assert (done(database_url), len(place.rows()), status(database_url).pending_purges) == ({}, 4, 0)
    assert audit(database_url, place).differences == []
    end_purge(database_url, number, anna)
    export(database_url, place.open())
    assert done(database_url) == {number: 4}
    assert_forgotten(database_url, place, anna)


def test_a_purge_from_before_the_first_export_is_done_at_once(database_url: str, anna: Exam, place: Place) -> None:
    store_all(database_url, anna)
    number = purge(database_url, anna)
    assert export(database_url, place.open()) == []
    assert done(database_url) == {number: 0}


@pytest.mark.parametrize("pseudonyms", [None, Pseudonyms("another key than the one of the tests, as long")])
def test_without_the_key_nothing_is_exported_and_nothing_forgotten(
    database_url: str, anna: Exam, other: Exam, place: Place, pseudonyms: Pseudonyms | None
) -> None:
    store_all(database_url, anna)
    export(database_url, place.open(), pseudonyms=pseudonyms)
    purge(database_url, anna)
    store_all(database_url, other)
    with pytest.raises(CannotRun, match="set ATTEMPTLOG_PSEUDONYM_KEY"):
        export(database_url, place.open(), pseudonyms=pseudonyms)
    with pytest.raises(CannotRun, match="set ATTEMPTLOG_PSEUDONYM_KEY"):
        audit(database_url, place, pseudonyms)
    assert (len(place.rows()), done(database_url)) == (4, {})
    export(database_url, place.open())
    assert_forgotten(database_url, place, anna)


def test_who_was_let_back_in_before_the_target_has_forgotten_is_forgotten_up_to_then(
    database_url: str, anna: Exam, other: Exam, place: Place
) -> None:
    store_all(database_url, anna, other)
    export(database_url, place.open())
    number = purge(database_url, anna)
    lift(database_url, number)
    store_all(database_url, anna)
    for _ in range(2):
        export(database_url, place.open())
        assert_equal(database_url, place.rows())
    assert done(database_url) == {number: 4}


def test_who_is_purged_and_let_back_in_between_two_batches_of_a_pass_loses_nothing_new(
    database_url: str, anna: Exam, other: Exam, place: Place
) -> None:
    store_all(database_url, anna, other)
    with open_pass(database_url, "here", place.open(), pseudonyms=OURS, batch_rows=4) as one:
        receipts = one.export()
        next(receipts)
        lift(database_url, purge(database_url, anna))
        store_all(database_url, anna)
        list(receipts)
    export(database_url, place.open())
    assert_equal(database_url, place.rows())


# While a batch is on its way


def test_a_purge_between_the_plan_and_the_rows_is_tried_again_without_them(
    database_url: str, anna: Exam, other: Exam, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_all(database_url, anna, other)
    begin_attempt, numbers = Books.begin_attempt, []

    def purged_by_then(books: Books, batch: Any) -> Any:
        begun = begin_attempt(books, batch)
        numbers.append(purge(database_url, anna))
        return begun

    with monkeypatch.context() as patch:
        patch.setattr(Books, "begin_attempt", purged_by_then)
        with pytest.raises(TransientError, match="4 rows were read where 8 were counted"):
            export(database_url, place.open())
    assert [receipt.rows for receipt in export(database_url, place.open())] == [4]
    assert_forgotten(database_url, place, anna)
    assert done(database_url) == {numbers[0]: 0}


def test_rows_that_were_read_before_the_purge_are_forgotten_by_the_next_pass(
    database_url: str, anna: Exam, other: Exam, place: Place
) -> None:
    store_all(database_url, anna, other)
    numbers: list[int] = []
    hooks = Hooks(progress=lambda _: numbers.append(purge(database_url, anna)))
    assert [receipt.rows for receipt in export(database_url, place.open(), hooks)] == [8]
    assert place.traces(anna.user)
    [found] = audit(database_url, place).differences[:1]
    assert (found.pending, found.foreign, audit(database_url, place).pending) == (2, 0, 4)
    assert not audit(database_url, place).disagrees(allow_pending=True)
    export(database_url, place.open())
    assert done(database_url) == {numbers[0]: 4}
    assert_forgotten(database_url, place, anna)


def test_a_purge_after_the_target_has_committed_and_before_the_books_do_changes_no_receipt(
    database_url: str, anna: Exam, other: Exam, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_all(database_url, anna, other)

    def broken(*_: Any) -> None:
        purge(database_url, anna)
        raise StoreUnavailable("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(Books, "commit", broken)
        with pytest.raises(StoreUnavailable):
            export(database_url, place.open())
    assert [receipt.rows for receipt in export(database_url, place.open())] == [8]
    assert_forgotten(database_url, place, anna)
    with psycopg.connect(database_url) as connection:
        batches = connection.execute("SELECT state, attempts, rows FROM export_batches").fetchall()
    assert batches == [("committed", 1, 8)]


def test_a_batch_whose_every_row_was_purged_is_committed_without_any(
    database_url: str, anna: Exam, place: Place
) -> None:
    store_all(database_url, anna)
    with Books(database_url, "here") as books:
        books.plan(1_000_000)
    purge(database_url, anna)
    with pytest.raises(TransientError, match="0 rows were read where 4 were counted"):
        export(database_url, place.open())
    assert [receipt.rows for receipt in export(database_url, place.open())] == [0]
    assert_forgotten(database_url, place, anna)


def test_what_was_forgotten_without_our_knowing_is_looked_for_again(
    database_url: str, anna: Exam, other: Exam, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_all(database_url, anna, other)
    export(database_url, place.open())
    number = purge(database_url, anna)

    def broken(*_: Any) -> None:
        raise StoreUnavailable("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(Books, "finish_purges", broken)
        with pytest.raises(StoreUnavailable):
            export(database_url, place.open())
    assert status(database_url).pending_purges == 1
    export(database_url, place.open())
    assert done(database_url) == {number: 0}
    assert_forgotten(database_url, place, anna)


# Sent again, restored, kept


def test_what_is_sent_again_has_nobody_who_was_purged(database_url: str, anna: Exam, other: Exam, place: Place) -> None:
    store_all(database_url, anna, other)
    export(database_url, place.open())
    purge(database_url, anna)
    with open_pass(database_url, "here", place.open(), pseudonyms=OURS) as one:
        assert sum(receipt.rows for receipt in one.send_again(MONDAY)) == 4
    assert_forgotten(database_url, place, anna)


def test_a_target_that_was_restored_from_before_a_purge_forgets_with_the_resync(
    database_url: str, anna: Exam, other: Exam, place: Place, tmp_path: Path
) -> None:
    store_all(database_url, anna, other)
    export(database_url, place.open())
    shutil.copytree(tmp_path / "events", tmp_path / "backup")
    number = purge(database_url, anna)
    export(database_url, place.open())
    shutil.rmtree(tmp_path / "events")
    shutil.copytree(tmp_path / "backup", tmp_path / "events")
    assert sum(each.foreign for each in audit(database_url, place).differences) == 4
    with Books(database_url, "here", pseudonyms=OURS) as books, place.open() as target:
        target.claim(books.fence)
        follow_purges(books, target, again=True)
        books.resync(target.latest())
    export(database_url, place.open())
    assert_forgotten(database_url, place, anna)
    assert done(database_url) == {number: 4}


def test_a_retention_that_keeps_what_was_exported_leaves_it_and_the_audit_tells(
    database_url: str, anna: Exam, other: Exam, place: Place
) -> None:
    store_all(database_url, anna, other)
    export(database_url, place.open())
    retire(database_url, anna, keeps_exports=True)
    export(database_url, place.open())
    found = audit(database_url, place)
    assert (found.kept, found.differences, done(database_url)) == (4, [], {})
    assert status(database_url).pending_purges == 0
    purge(database_url, anna)
    assert audit(database_url, place).pending == 4
    export(database_url, place.open())
    assert_forgotten(database_url, place, anna)


def test_a_retention_goes_through_the_target(database_url: str, anna: Exam, other: Exam, place: Place) -> None:
    store_all(database_url, anna, other)
    export(database_url, place.open())
    number = retire(database_url, anna, keeps_exports=False)
    export(database_url, place.open())
    assert done(database_url) == {number: 4}
    assert place.traces(anna.session) == {}
    assert_equal(database_url, place.rows())


class CannotForget(ParquetDirectory):
    def forget(self, choose: Choose) -> None:
        raise NotAvailable("nothing can be removed here")


def test_a_target_that_cannot_forget_goes_on_and_the_books_say_so(
    database_url: str, anna: Exam, other: Exam, place: Place, tmp_path: Path
) -> None:
    store_all(database_url, anna)
    export(database_url, CannotForget(tmp_path / "events"))
    number = purge(database_url, anna)
    store_all(database_url, other)
    for rows in ([4], []):
        receipts = export(database_url, CannotForget(tmp_path / "events"))
        assert [receipt.rows for receipt in receipts] == rows
    assert done(database_url) == {number: None}
    assert status(database_url).pending_purges == 0


class Away(ParquetDirectory):
    """A target that is away, whose exporter is told to end after the first pass."""

    def __init__(self, directory: Path, stopping: threading.Event) -> None:
        super().__init__(directory)
        self._stopping = stopping

    def claim(self, fence: int) -> None:
        self._stopping.set()
        raise TransientError("nobody answers")


def test_purges_that_wait_are_shown_while_the_target_is_away_and_rows_that_went_are_counted(
    database_url: str, anna: Exam, place: Place, tmp_path: Path
) -> None:
    store_all(database_url, anna)
    export(database_url, place.open())
    purge(database_url, anna)
    settings = ExporterSettings(database_url=SecretStr(database_url), pseudonym_key=SecretStr(KEY))
    looker, stopping = Looker("tests", "export run"), threading.Event()
    away = Exporter(settings, "here", lambda: Away(tmp_path / "events", stopping), looker, stopping=stopping)
    away.run()
    assert sample(away, "pending_purges") == 1
    there = Exporter(settings, "here", place.open, looker, stopping=threading.Event())
    there.once()
    assert (sample(there, "pending_purges"), sample(there, "rows_forgotten_total")) == (0, 4)


def sample(exporter: Exporter, name: str) -> float | None:
    return exporter.metrics.registry.get_sample_value(f"attemptlog_exporter_{name}", {"target": "here"})
