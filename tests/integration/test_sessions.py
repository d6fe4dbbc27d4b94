"""The session directory against a real PostgreSQL."""

import asyncio
import time
import uuid
from datetime import timedelta

import psycopg
import pytest

from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from attemptlog.ingest_api.sessions import Session
from attemptlog.ingest_api.suppressions import Suppressions
from attemptlog.local_stack import LocalStack
from attemptlog.migrations import upgrade
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import Names, as_array
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.lateness import measuring_lateness
from tests.support.letters import add_session
from tests.support.services import temporary_database, with_database
from tests.support.suppression import OURS, suppressing

TIMEOUT = timedelta(milliseconds=250)  # where PostgreSQL does not answer
LONG = timedelta(seconds=60)  # where it does


def directory(
    url: str, timeout: timedelta = LONG, ttl: timedelta = LONG, pseudonyms: Pseudonyms | None = None
) -> PostgresSessions:
    return PostgresSessions(url, lookup_timeout=timeout, cache_size=100, cache_ttl=ttl, pseudonyms=pseudonyms)


def test_it_can_be_built_where_no_event_loop_runs() -> None:
    assert directory("postgresql://nowhere").is_ready


async def test_it_knows_owner_and_questions_and_what_is_unknown(database_url: str) -> None:
    exam, nobody = insert_exam(database_url), str(uuid.uuid4())
    async with directory(database_url) as sessions:
        found = await sessions.find([exam.session, nobody], exam.user)
    assert found == {exam.session: Session(exam.user, frozenset([exam.question])), nobody: None}


async def test_a_session_without_an_exam_may_name_any_question(database_url: str) -> None:
    exam = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE test_sessions SET exam_id = NULL WHERE id = %s", [exam.session])
    async with directory(database_url) as sessions:
        assert await sessions.find([exam.session], exam.user) == {exam.session: Session(exam.user, None)}


async def test_sessions_of_one_exam_share_its_questions(database_url: str) -> None:
    exam, other = insert_exam(database_url), str(uuid.uuid4())
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO test_sessions (id, user_id, exam_id) VALUES (%s, %s, %s)", [other, exam.user, exam.exam]
        )
    async with directory(database_url) as sessions:
        first = (await sessions.find([exam.session], exam.user))[exam.session]
        second = (await sessions.find([other], exam.user))[other]
    assert first is not None
    assert second is not None
    assert first.questions is second.questions


async def test_questions_that_are_forgotten_during_a_look_up_are_still_the_exams(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attemptlog.ingest_api.postgres_sessions.MAX_EXAMS", 1)
    exam, other = insert_exam(database_url), insert_exam(database_url)
    sessions_of = {str(uuid.uuid4()): it for _ in range(4) for it in (other, exam)}  # whichever order they come in
    with psycopg.connect(database_url) as connection:
        connection.cursor().executemany(
            "INSERT INTO test_sessions (id, user_id, exam_id) VALUES (%s, %s, %s)",
            [(id_, it.user, it.exam) for id_, it in sessions_of.items()],
        )
    async with directory(database_url) as sessions:
        await sessions.find([exam.session], exam.user)  # its exam is known now, and the other one takes its place
        found = await sessions.find(sessions_of, exam.user)
    assert found == {id_: Session(it.user, frozenset([it.question])) for id_, it in sessions_of.items()}


async def test_where_nothing_is_remembered_the_questions_count_as_well(database_url: str) -> None:
    exam = insert_exam(database_url)
    async with directory(database_url, ttl=timedelta(0)) as sessions:
        assert await sessions.find([exam.session], exam.user) == {
            exam.session: Session(exam.user, frozenset([exam.question]))
        }


async def test_a_strangers_look_up_is_never_answered_from_the_cache_which_would_be_faster_than_for_an_unknown_session(
    database_url: str,
) -> None:
    exam, stranger = insert_exam(database_url), str(uuid.uuid4())
    async with directory(database_url) as sessions:
        assert (await sessions.find([exam.session], exam.user))[exam.session] is not None
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM test_sessions WHERE id = %s", [exam.session])
        assert (await sessions.find([exam.session], stranger))[exam.session] is None
        assert (await sessions.find([exam.session], exam.user))[exam.session] is not None


async def test_a_question_that_was_added_is_seen_when_somebody_doubts_and_by_all_sessions_of_the_exam_then(
    database_url: str,
) -> None:
    exam, added, other = insert_exam(database_url), str(uuid.uuid4()), str(uuid.uuid4())
    async with directory(database_url) as sessions:
        await sessions.find([exam.session], exam.user)
        with psycopg.connect(database_url) as connection:
            connection.execute("INSERT INTO questions (id) VALUES (%s)", [added])
            connection.execute("INSERT INTO exam_questions (exam_id, question_id) VALUES (%s, %s)", [exam.exam, added])
            connection.execute(
                "INSERT INTO test_sessions (id, user_id, exam_id) VALUES (%s, %s, %s)", [other, exam.user, exam.exam]
            )
        assert await sessions.find([exam.session], exam.user) == await sessions.find([exam.session], exam.user)
        now = Session(exam.user, frozenset([exam.question, added]))
        assert await sessions.find_anew([exam.session]) == {exam.session: now}
        assert await sessions.find([exam.session, other], exam.user) == {exam.session: now, other: now}


async def test_a_session_that_changed_hands_or_its_exam_is_told_as_it_is_now(database_url: str) -> None:
    exam, another = insert_exam(database_url), insert_exam(database_url)
    async with directory(database_url) as sessions:
        await sessions.find([exam.session, another.session], exam.user)
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "UPDATE test_sessions SET user_id = %s, exam_id = %s WHERE id = %s",
                [another.user, another.exam, exam.session],
            )
        now = {exam.session: Session(another.user, frozenset([another.question]))}
        assert await sessions.find([exam.session], another.user) == now
        assert await sessions.find_anew([exam.session]) == now


async def test_without_postgresql_nobody_is_refused_by_what_is_remembered(private_stack: LocalStack) -> None:
    postgres = private_stack.postgres
    with temporary_database(postgres.url) as name:
        url = with_database(postgres.url, name)
        upgrade(url)
        exam, stranger = insert_exam(url), str(uuid.uuid4())
        async with directory(url, TIMEOUT) as sessions:
            await eventually(lambda: sessions.find([exam.session], exam.user))
            await asyncio.to_thread(postgres.stop, "immediate")
            try:
                assert await sessions.find([exam.session], stranger) == {}
                assert await sessions.find_anew([exam.session]) == {}
            finally:
                await asyncio.to_thread(postgres.start)


async def test_without_postgresql_known_sessions_are_answered_and_nobody_waits_long(private_stack: LocalStack) -> None:
    postgres = private_stack.postgres
    with temporary_database(postgres.url) as name:
        url = with_database(postgres.url, name)
        upgrade(url)
        exam, nobody = insert_exam(url), str(uuid.uuid4())
        async with directory(url, TIMEOUT) as sessions:
            known = await eventually(lambda: sessions.find([exam.session], exam.user))
            await asyncio.to_thread(postgres.stop, "immediate")
            started = time.monotonic()
            async with measuring_lateness() as late:
                assert await sessions.find([exam.session, nobody], exam.user) == known
                took = time.monotonic() - started
            assert took < 2 * TIMEOUT.total_seconds() + late.seconds
            await eventually(lambda: not sessions.is_ready)
            await asyncio.to_thread(postgres.start)

            async def is_looked_up() -> bool:
                return nobody in await sessions.find([nobody], exam.user)

            await eventually(is_looked_up)
            assert sessions.is_ready


async def test_a_slow_look_up_is_not_waited_for_and_still_fills_the_cache(database_url: str) -> None:
    exam = insert_exam(database_url)
    async with directory(database_url, TIMEOUT) as sessions:
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE test_sessions IN ACCESS EXCLUSIVE MODE")
            assert await sessions.find([exam.session], exam.user) == {}
        await eventually(lambda: sessions.cached)
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE test_sessions IN ACCESS EXCLUSIVE MODE")
            assert exam.session in await sessions.find([exam.session], exam.user)


async def test_the_time_of_each_query_that_is_answered_is_told(database_url: str) -> None:
    exam, seconds = insert_exam(database_url), list[float]()
    sessions = PostgresSessions(database_url, lookup_timeout=LONG, cache_size=100, cache_ttl=LONG, timed=seconds.append)
    async with sessions:
        for _ in range(3):
            await sessions.find([exam.session], exam.user)
    assert len(seconds) == 1, "what is remembered needs no query"
    assert 0 < seconds[0] < LONG.total_seconds()


async def test_a_query_that_fails_has_no_time() -> None:
    seconds = list[float]()
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    sessions = PostgresSessions(nowhere, lookup_timeout=LONG, cache_size=1, cache_ttl=LONG, timed=seconds.append)
    async with sessions:
        assert await sessions.find([str(uuid.uuid4())], str(uuid.uuid4())) == {}
    assert seconds == []


# Persons and sessions that were purged


async def test_a_suppressed_persons_sessions_are_as_if_they_were_not_there(database_url: str) -> None:
    person, neighbour = insert_exam(database_url), insert_exam(database_url)
    suppressing(database_url, users=[person.user])
    later = str(uuid.uuid4())
    add_session(database_url, later, person.user)
    async with directory(database_url, pseudonyms=OURS) as sessions:
        found = await sessions.find([person.session, later, neighbour.session], person.user)
        assert found == {person.session: None, later: None, neighbour.session: one_of(neighbour)}
        assert await sessions.find_anew([person.session]) == {person.session: None}
        assert sessions.cached == 1


async def test_a_suppressed_session_is_as_if_it_were_not_there_and_its_users_others_are(database_url: str) -> None:
    person, other = insert_exam(database_url), str(uuid.uuid4())
    add_session(database_url, other, person.user)
    suppressing(database_url, sessions=[person.session])
    async with directory(database_url, pseudonyms=OURS) as sessions:
        found = await sessions.find([person.session, other], person.user)
    assert found == {person.session: None, other: Session(person.user, None)}


async def test_a_purge_counts_once_what_is_remembered_is_too_old(database_url: str) -> None:
    exam = insert_exam(database_url)
    async with directory(database_url, ttl=timedelta(0), pseudonyms=OURS) as sessions:
        assert await sessions.find([exam.session], exam.user) == {exam.session: one_of(exam)}
        number = suppressing(database_url, users=[exam.user])
        assert await sessions.find([exam.session], exam.user) == {exam.session: None}
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM suppressions WHERE purge_id = %s", [number])
        assert await sessions.find([exam.session], exam.user) == {exam.session: one_of(exam)}


@pytest.mark.parametrize("pseudonyms", [None, Pseudonyms("another key of 32 characters or more")])
async def test_without_the_lists_key_the_gateway_goes_on_and_says_so_once_a_minute(
    database_url: str, pseudonyms: Pseudonyms | None, caplog: pytest.LogCaptureFixture
) -> None:
    exam = insert_exam(database_url)
    suppressing(database_url, users=[exam.user])
    async with directory(database_url, ttl=timedelta(0), pseudonyms=pseudonyms) as sessions:
        for _ in range(3):
            assert await sessions.find([exam.session], exam.user) == {exam.session: one_of(exam)}
        assert sessions.is_ready
    [line] = [it for it in caplog.records if it.levelname == "ERROR"]
    assert "set ATTEMPTLOG_PSEUDONYM_KEY" in line.getMessage()


def test_a_key_that_is_still_wrong_after_a_minute_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    suppressions = Suppressions(None)
    for now in (0.0, 59.0, 60.0, 61.0):
        suppressions.complain("it is wrong", now)
    assert len(caplog.records) == 2


async def test_a_strangers_look_up_asks_the_list_as_one_about_an_unknown_session_does(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam = insert_exam(database_url)
    suppressing(database_url, users=[str(uuid.uuid4())])
    asked: list[int] = []

    def noting(names: Names) -> str:
        asked.append(len(names))
        return as_array(names)

    monkeypatch.setattr("attemptlog.ingest_api.session_reader.as_array", noting)
    async with directory(database_url, pseudonyms=OURS) as sessions:
        await sessions.find([str(uuid.uuid4())], exam.user)
        await sessions.find([exam.session], str(uuid.uuid4()))
    assert asked == [0, 2]


def one_of(exam: Exam) -> Session:
    return Session(exam.user, frozenset([exam.question]))
