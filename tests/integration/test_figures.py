"""Figures that are kept say what the views say, whatever was stored, in which order, and whoever was killed."""

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import tuple_row

from attemptlog.event_store.figures import Figures, bring_up_to_date
from attemptlog.simulation.candidate import roster_of, sittings_of
from tests.support.eventually import eventually
from tests.support.figures import SAME, differences, refresh, refresh_all
from tests.support.letters import attemptlog, data
from tests.support.oldest_postgres import on_every_postgres
from tests.support.sat import COPY, rows_of, seat
from tests.support.services import temporary_database, with_database

pytestmark = on_every_postgres

CANDIDATES = 4
ROSTER = roster_of(CANDIDATES, "figures")
SITTINGS = list(sittings_of(CANDIDATES, "figures"))
SESSIONS = [UUID(sitting.session_id) for sitting in SITTINGS]
Row = tuple[Any, ...]
EVENTS: list[Row] = [
    (UUID(int=number), 1, *row)
    for number, row in enumerate((row for sitting in SITTINGS for row in rows_of(sitting)), start=1)
]
OTHER_EXAM = uuid4()


@pytest.fixture(scope="module")
def seated_template(postgres_url: str, template_database: str) -> Iterator[str]:
    with temporary_database(postgres_url, template=template_database) as name:
        url = with_database(postgres_url, name)
        asyncio.run(seat(url, ROSTER))
        with open_(url) as connection:
            connection.execute("INSERT INTO exams (id) VALUES (%s)", [OTHER_EXAM])
            # or whoever stores the first event of a session would be waited for
            connection.execute("INSERT INTO event_sessions SELECT id, user_id FROM test_sessions")
            connection.execute("INSERT INTO event_questions SELECT id FROM questions")
        yield name


@pytest.fixture
def url(postgres_url: str, seated_template: str) -> Iterator[str]:
    """A database with candidates and no event."""
    with temporary_database(postgres_url, template=seated_template) as name:
        yield with_database(postgres_url, name)


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    with open_(url) as connection:
        yield connection


@contextmanager
def open_(url: str) -> Iterator[psycopg.Connection[Any]]:
    auditor = "-c attemptlog.viewer_role=auditor"  # what is said of exams is said to those who say who looks
    with psycopg.connect(url, autocommit=True, row_factory=tuple_row, options=auditor) as connection:
        yield connection


def store(connection: psycopg.Connection[Any], rows: list[Row]) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for row in rows:
            copy.write_row(row)


def bury(connection: psycopg.Connection[Any], session: UUID, offset: int) -> None:
    connection.execute(
        "INSERT INTO dead_letters (topic, partition, kafka_offset, reason, session_id)"
        " VALUES ('t', 0, %s, 'rejected_by_database', %s)",
        [offset, session],
    )


def purge(connection: psycopg.Connection[Any], session: UUID, *, letters: bool = False) -> None:
    """Delete as a purge does; that nothing more is stored is not its part."""
    with connection.transaction():
        connection.execute("SET LOCAL attemptlog.purge = 'on'")
        if letters:
            connection.execute("DELETE FROM dead_letters WHERE session_id = %s", [session])
        connection.execute("DELETE FROM attempt_events WHERE session_id = %s", [session])


def values(connection: psycopg.Connection[Any], query: LiteralString, *parameters: Any) -> list[Any]:
    return [value for row in connection.execute(query, parameters).fetchall() for value in row]


# The same as the views


class Happenings:
    """What may happen to a database, at random; some of it in transactions that stay open for a while."""

    def __init__(self, connection: psycopg.Connection[Any], url: str, seed: int) -> None:
        self.connection, self.url, self.random = connection, url, random.Random(seed)  # noqa: S311
        events = self.random.sample(EVENTS, len(EVENTS))
        size = self.random.choice((11, 60, 150))
        self.batches = [events[start : start + size] for start in range(0, len(events), size)]
        self.open: list[psycopg.Connection[Any]] = []
        self.offset = 0

    def run(self) -> None:
        likely = (self.store, self.store_late, self.refresh, self.refresh)
        rare = (self.commit, self.bury, self.replay, self.give_to_another_exam, self.change_keys)
        while self.batches:
            self.random.choice((*likely, *rare))()
        while self.open:
            self.commit()
            self.refresh()
        purge(self.connection, self.random.choice(SESSIONS), letters=True)
        refresh_all(self.connection, most=3)

    def store(self) -> None:
        store(self.connection, self.batches.pop())

    def store_late(self) -> None:
        late = psycopg.connect(self.url)
        store(late, self.batches.pop())
        self.open.append(late)

    def commit(self) -> None:
        if self.open:
            with self.open.pop(self.random.randrange(len(self.open))) as late:
                late.commit()

    def refresh(self) -> None:
        refresh(self.connection, self.random.choice((1, 3)))

    def bury(self) -> None:
        self.offset += 1
        bury(self.connection, self.random.choice(SESSIONS), self.offset)

    def replay(self) -> None:
        outcome = self.random.choice(("inserted", "duplicate", "undecodable"))
        self.connection.execute(
            "UPDATE dead_letters SET replayed_at = now(), replay_outcome = %s WHERE kafka_offset = %s",
            [outcome, self.random.randint(0, self.offset)],
        )

    def give_to_another_exam(self) -> None:
        exam = self.random.choice((UUID(ROSTER.exam_id), OTHER_EXAM, None))
        session = self.random.choice(SESSIONS)
        self.connection.execute("UPDATE test_sessions SET exam_id = %s WHERE id = %s", [exam, session])

    def change_keys(self) -> None:
        self.connection.execute("UPDATE answer_keys SET choice = %s WHERE random() < 0.5", [self.random.randint(0, 3)])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whichever_order_figures_are_those_of_the_views(
    url: str, connection: psycopg.Connection[Any], seed: int
) -> None:
    happenings = Happenings(connection, url, seed)
    try:
        happenings.run()
    finally:
        for late in happenings.open:
            late.close()
    assert differences(connection) == SAME
    assert len(values(connection, "SELECT session_id FROM readable_session_figures")) == CANDIDATES - 1


def test_what_a_late_transaction_stored_is_not_left_out(url: str, connection: psycopg.Connection[Any]) -> None:
    first, then = EVENTS[:100], EVENTS[100:]
    refresh_all(connection)
    with psycopg.connect(url) as late:
        store(late, first)
        store(connection, then)
        refresh_all(connection)
        late.commit()
    refresh_all(connection)
    assert differences(connection) == SAME


def test_what_says_the_same_as_before_is_not_written_again(connection: psycopg.Connection[Any]) -> None:
    query: LiteralString = "SELECT ctid FROM question_figures ORDER BY session_id, question_id"
    store(connection, EVENTS)
    refresh_all(connection)
    before = values(connection, query)
    connection.execute("DELETE FROM figures_progress")
    refresh_all(connection)
    assert values(connection, query) == before


# Old rows, other servers


@pytest.fixture
def aged(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The events as they are where transactions were not kept yet."""
    store(connection, EVENTS)
    connection.execute("ALTER TABLE attempt_events DISABLE TRIGGER USER")
    connection.execute("UPDATE attempt_events SET export_xid = NULL")
    connection.execute("ALTER TABLE attempt_events ENABLE TRIGGER USER")
    return connection


def test_events_from_before_are_worked_out_in_bounded_steps(aged: psycopg.Connection[Any]) -> None:
    steps = [
        (
            *values(aged, "SELECT attemptlog_look_for_changes(20000, 2)"),
            *values(aged, "SELECT count(*) FROM figures_due"),
        )
        for _ in range(2)
    ]
    assert steps == [(False, 2), (True, 4)]
    refresh_all(aged)
    assert differences(aged) == SAME


def test_new_events_go_before_those_from_before(aged: psycopg.Connection[Any]) -> None:
    last = max(SESSIONS)
    refresh(aged, 0)
    aged.execute(
        "INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id)"
        " SELECT gen_random_uuid(), 1, 'SESSION_EXPIRED', now(), id, user_id FROM test_sessions WHERE id = %s",
        [last],
    )
    refresh(aged, 1)
    assert values(aged, "SELECT session_id FROM session_figures") == [last]


@pytest.mark.parametrize(
    "change", ["system_identifier = system_identifier + 1", "watermark = '999999999999'"], ids=["another", "restored"]
)
def test_on_another_server_or_before_its_time_all_begins_anew(
    connection: psycopg.Connection[Any], change: LiteralString
) -> None:
    store(connection, EVENTS)
    refresh_all(connection)
    connection.execute("UPDATE session_figures SET actions = 0")
    connection.execute(f"UPDATE figures_progress SET {change}".encode())  # noqa: S608
    assert differences(connection)["sessions"] > 0
    refresh_all(connection)
    assert differences(connection) == SAME


# Purged, killed, two at once


@contextmanager
def halfway(url: str) -> Iterator[tuple[psycopg.Connection[Any], Callable[[], object]]]:
    """A refresh that has written figures of sessions, and waits before those of questions; and how it may go on."""
    with open_(url) as blocker, ThreadPoolExecutor() as pool, open_(url) as refresher:
        blocker.execute("BEGIN; LOCK TABLE question_figures IN SHARE MODE")
        running = pool.submit(refresh, refresher)
        waiting: LiteralString = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        with open_(url) as watcher:
            asyncio.run(
                eventually(lambda: values(watcher, waiting, refresher.info.backend_pid) == [1])
            )  # fmt: skip
        try:
            yield refresher, lambda: blocker.execute("ROLLBACK")
        finally:
            blocker.execute("ROLLBACK")
            with suppress(psycopg.OperationalError):
                running.result()


def test_a_refresh_that_is_killed_half_way_has_changed_nothing(url: str, connection: psycopg.Connection[Any]) -> None:
    store(connection, EVENTS[:300])
    refresh_all(connection)
    store(connection, EVENTS[300:])
    state: LiteralString = """
        SELECT (SELECT md5(string_agg(f::text, ',' ORDER BY session_id)) FROM session_figures AS f),
            (SELECT md5(string_agg(f::text, ',' ORDER BY f)) FROM question_figures AS f),
            (SELECT md5(string_agg(f::text, ',' ORDER BY session_id)) FROM figures_due AS f),
            (SELECT p::text FROM figures_progress AS p)
    """
    before = values(connection, state)
    with halfway(url) as (refresher, _):
        connection.execute("SELECT pg_terminate_backend(%s)", [refresher.info.backend_pid])
        is_there: LiteralString = "SELECT pid FROM pg_stat_activity WHERE pid = %s"
        asyncio.run(eventually(lambda: values(connection, is_there, refresher.info.backend_pid) == []))
        assert values(connection, state) == before
    refresh_all(connection)
    assert differences(connection) == SAME


def test_a_second_one_at_the_same_time_does_nothing(url: str, connection: psycopg.Connection[Any]) -> None:
    store(connection, EVENTS)
    with halfway(url):
        assert refresh(connection) is None
    assert differences(connection) == SAME


def test_a_purge_waits_for_a_refresh_and_no_figure_comes_back(url: str, connection: psycopg.Connection[Any]) -> None:
    store(connection, EVENTS)
    with halfway(url) as (_, go_on), open_(url) as purger, ThreadPoolExecutor() as pool:
        purging = pool.submit(purge, purger, SESSIONS[0])
        waiting: LiteralString = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
        asyncio.run(eventually(lambda: values(connection, waiting, purger.info.backend_pid) == [1]))
        go_on()
        purging.result()
    for table in ("session_figures", "question_figures", "session_moves", "figures_due"):
        assert values(connection, f"SELECT count(*) FROM {table} WHERE session_id = %s", SESSIONS[0]) == [0]  # noqa: S608
    assert differences(connection) == SAME


def test_of_what_is_left_of_a_session_figures_are_worked_out_anew(connection: psycopg.Connection[Any]) -> None:
    store(connection, EVENTS)
    refresh_all(connection)
    with connection.transaction():
        connection.execute("SET LOCAL attemptlog.purge = 'on'")
        connection.execute("DELETE FROM attempt_events WHERE session_id = %s AND seq > 5", [SESSIONS[0]])
    assert values(connection, "SELECT session_id FROM figures_due") == [SESSIONS[0]]
    refresh_all(connection)
    assert differences(connection) == SAME


def test_a_dead_letter_that_goes_is_no_longer_missed(connection: psycopg.Connection[Any]) -> None:
    whole: LiteralString = "SELECT count(*) FILTER (WHERE is_complete) FROM readable_session_figures"
    store(connection, EVENTS)
    bury(connection, SESSIONS[0], 1)
    refresh_all(connection)
    assert values(connection, whole) == [CANDIDATES - 1]
    connection.execute("DELETE FROM dead_letters")
    refresh_all(connection)
    assert values(connection, whole) == [CANDIDATES]


def test_a_session_that_has_nothing_but_dead_letters_is_never_due(connection: psycopg.Connection[Any]) -> None:
    refresh_all(connection)
    bury(connection, SESSIONS[0], 1)
    refresh(connection, 0)
    purge(connection, SESSIONS[0], letters=True)
    assert values(connection, "SELECT session_id FROM figures_due") == []


# Who may read


VIEWS: tuple[LiteralString, ...] = (
    *("session_logs", "session_visits", "session_absences", "session_answers", "session_questions"),
    "session_indicators",
)
READABLE: tuple[LiteralString, ...] = (
    *("readable_session_figures", "readable_question_figures", "readable_session_moves", "readable_figures_due"),
    *("readable_figures_progress", "readable_exam_questions", "readable_answer_keys"),
)
FUNCTIONS: tuple[LiteralString, ...] = (
    *("exam_session_indicators", "exam_question_indicators", "exam_effort", "exam_navigation", "exam_freshness"),
)


def test_whoever_may_read_the_views_needs_nothing_else(connection: psycopg.Connection[Any]) -> None:
    store(connection, EVENTS)
    for name in VIEWS:
        connection.execute(f"GRANT SELECT ON {name} TO attemptlog_gateway".encode())
    connection.execute("GRANT EXECUTE ON FUNCTION refresh_figures TO attemptlog_gateway")
    connection.execute("SET ROLE attemptlog_gateway")
    refresh_all(connection)
    for name in VIEWS:
        assert connection.execute(f"SELECT * FROM {name} WHERE session_id = %s".encode(), [SESSIONS[0]]).fetchall()  # noqa: S608
    connection.execute("RESET ROLE")
    assert differences(connection) == SAME


def test_nobody_may_read_them_to_begin_with(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET ROLE attemptlog_gateway")
    for name in (*VIEWS, *READABLE, "session_figures", "question_figures", "figures_due", "session_lines"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT FROM {name}".encode())
    for name in FUNCTIONS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT FROM {name}(gen_random_uuid())".encode())


# How fresh


async def test_an_exam_is_as_fresh_as_its_oldest_session_that_is_due(
    url: str, connection: psycopg.Connection[Any]
) -> None:
    exam = UUID(ROSTER.exam_id)
    store(connection, EVENTS)
    async with Figures(url) as figures:
        refresh(connection, 0)
        assert await figures.freshness(exam) == (None, CANDIDATES)
        refresh_all(connection)
        [settled] = values(connection, "SELECT clock_timestamp()")
        refresh_all(connection)
        as_of, due = await figures.freshness(exam)
        assert as_of is not None
        assert (as_of > settled, due) == (True, 0)
        bury(connection, SESSIONS[0], 1)
        bury(connection, SESSIONS[1], 2)
        refresh(connection, 0)
        [first, _] = values(connection, "SELECT first_seen_at FROM dead_letters ORDER BY id")
        assert await figures.freshness(exam) == (first, 2)
        refresh(connection, 1)
        assert (await figures.freshness(exam)).due == 1
        assert (await figures.freshness(OTHER_EXAM)).due == 0


def test_what_an_open_transaction_holds_back_is_not_said_to_be_in(
    url: str, connection: psycopg.Connection[Any]
) -> None:
    refresh_all(connection)
    with psycopg.connect(url) as late:
        bury(late, SESSIONS[0], 1)
        store(connection, EVENTS)
        refresh_all(connection)
        [stored] = values(connection, "SELECT min(created_at) FROM attempt_events")
        assert values(connection, "SELECT as_of FROM figures_progress") == [stored]
    refresh_all(connection)
    assert values(connection, "SELECT as_of > %s FROM figures_progress", stored) == [True]


def test_a_session_that_was_given_to_another_exam_is_in_neither_and_then_in_that(
    connection: psycopg.Connection[Any],
) -> None:
    of: LiteralString = "SELECT session_id FROM exam_session_indicators(%s)"
    store(connection, EVENTS)
    refresh_all(connection)
    connection.execute("UPDATE test_sessions SET exam_id = %s WHERE id = %s", [OTHER_EXAM, SESSIONS[0]])
    assert set(values(connection, of, ROSTER.exam_id)) == set(SESSIONS[1:])
    assert values(connection, of, OTHER_EXAM) == []
    refresh_all(connection)
    assert values(connection, of, OTHER_EXAM) == [SESSIONS[0]]


def test_exams_are_told_of_some_of_their_sessions(connection: psycopg.Connection[Any]) -> None:
    store(connection, EVENTS)
    refresh_all(connection)
    among = SESSIONS[:2]
    of: tuple[LiteralString, ...] = (
        "SELECT session_id FROM exam_session_indicators(%s, %s)",
        "SELECT session_id FROM exam_effort(%s, %s)",
    )
    for query in of:
        assert set(values(connection, query, ROSTER.exam_id, among)) == set(among)
    questions: LiteralString = "SELECT DISTINCT sessions FROM exam_question_indicators(%s, %s)"
    assert values(connection, questions, ROSTER.exam_id, among) == [2]
    moves: LiteralString = "SELECT sum(moves) FROM exam_navigation(%s, %s)"
    told = [values(connection, moves, ROSTER.exam_id, [session]) for session in among]
    assert values(connection, moves, ROSTER.exam_id, among) == [sum(number for [number] in told)]


# Who calls it


async def test_a_service_keeps_them_fresh_through_an_outage(url: str, connection: psycopg.Connection[Any]) -> None:
    async with Figures(url) as figures:
        keeping = asyncio.create_task(figures.keep_fresh(duty=0.9))
        store(connection, EVENTS)
        await eventually(lambda: differences(connection) == SAME)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'attemptlog-figures'"
        )
        bury(connection, SESSIONS[0], 1)
        await eventually(lambda: differences(connection) == SAME and values(connection, "TABLE figures_due") == [])
        keeping.cancel()


async def test_whoever_waits_for_an_exam_waits_for_its_sessions_only(
    url: str, connection: psycopg.Connection[Any]
) -> None:
    connection.execute("UPDATE test_sessions SET exam_id = %s WHERE id <> %s", [OTHER_EXAM, SESSIONS[0]])
    store(connection, EVENTS)
    told: list[int] = []
    assert await bring_up_to_date(url, told.append, UUID(ROSTER.exam_id)) == 1
    assert values(connection, "SELECT session_id FROM session_figures") == [SESSIONS[0]]
    assert sum(told) == 1
    assert await bring_up_to_date(url, told.append) == CANDIDATES - 1
    assert differences(connection) == SAME


def test_the_commands_bring_them_up_to_date_and_say_how_fresh_they_are(
    url: str, connection: psycopg.Connection[Any]
) -> None:
    store(connection, EVENTS)
    begun = datetime.now(UTC)
    found = data(url, "indicators", "exam", ROSTER.exam_id)
    assert (found["sessions"], found["due"]) == (CANDIDATES, 0)
    assert datetime.fromisoformat(found["as_of"]) >= begun
    bury(connection, SESSIONS[0], 1)
    assert "Sessions worked out: 1." in attemptlog(url, "indicators", "refresh").stdout
    assert data(url, "indicators", "exam", ROSTER.exam_id)["complete"] == CANDIDATES - 1
