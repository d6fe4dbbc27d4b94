"""What a role, a database or the environment sets changes nothing of what is stored or read, or is refused in words."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from attemptlog import migrations
from attemptlog.event_store.books import Books
from attemptlog.event_store.dead_letters import Selection, count_and_list, read_letter
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.replays import Replays
from attemptlog.event_store.sessions import read_session
from attemptlog.event_store.store import Store
from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from attemptlog.runtime.errors import OperatorError
from attemptlog.schemas import new_event_id
from examples.exam_platform.sessions.store import connections
from tests.support.consumer import Partition, assert_accounted, consumer_role, envelope, ledger, query
from tests.support.http import Exam, insert_exam
from tests.support.property_tests import examples
from tests.support.secured import login
from tests.support.services import temporary_database, with_database
from tests.support.settings import SHADOW, UNUSUAL, having

TOPIC = "attempt-events.v1"
TEXT = "é ü 漢 🎓 \\ ' \\n"
PAYLOAD = json.dumps({"text": TEXT}, ensure_ascii=False).encode()
SOME = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in UNUSUAL.items()})


@dataclass(frozen=True)
class Place:
    """A database with another schema of the same names, a login of each service, one for commands and the test's."""

    owner: str
    consumer: str
    gateway: str
    operator: str

    @property
    def roles(self) -> list[str]:
        return [str(conninfo_to_dict(url)["user"]) for url in (self.consumer, self.gateway, self.operator)]


@pytest.fixture(scope="module")
def place(postgres_url: str, template_database: str) -> Iterator[Place]:
    with temporary_database(postgres_url, template=template_database) as name:
        owner = with_database(postgres_url, name)
        with psycopg.connect(owner) as connection:
            connection.execute(SHADOW.encode())
        with consumer_role(owner) as consumer:
            operator = login(owner, "attemptlog_consumer", "a-password")
            with psycopg.connect(owner) as connection:
                role = sql.Identifier(str(conninfo_to_dict(operator)["user"]))
                connection.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(role))
            yield Place(owner, consumer, login(owner, "attemptlog_gateway", "a-password"), operator)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in UNUSUAL.items() for value in values])
async def test_a_setting_changes_nothing(place: Place, name: str, value: str) -> None:
    await keep_every_promise(place, {name: value})


@examples(25)
@given(several=SOME)
async def test_any_several_of_them_change_nothing(place: Place, several: dict[str, str]) -> None:
    await keep_every_promise(place, several)


async def test_what_the_url_and_the_environment_say_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    monkeypatch.setenv("PGOPTIONS", "-c DateStyle=German -c bytea_output=escape -c array_nulls=off")
    given = replace(place, owner=make_conninfo(place.owner, client_encoding="UTF8", options="-c DateStyle=ISO"))
    await keep_every_promise(given, {})
    await keep_every_promise(replace(given, consumer=wrong(place.consumer), gateway=wrong(place.gateway)), {})


def wrong(url: str) -> str:
    return make_conninfo(url, client_encoding="LATIN1", options="-c DateStyle=SQL")


async def keep_every_promise(place: Place, unusual: dict[str, str]) -> None:
    """Store, find duplicates and conflicts, replay, look up and show, under these settings of every login."""
    with ExitStack() as exits:
        exits.callback(empty, place.owner)
        for role in place.roles:
            exits.enter_context(having(place.owner, role, unusual))
        exam, partition = insert_exam(place.owner), Partition()
        await store_and_find(place, exam, partition)
        await replay_what_came_too_early(place, exam)
        await look_up(place, exam)
        show(place, exam)


def empty(owners_url: str) -> None:
    with psycopg.connect(owners_url) as connection:
        connection.execute("SET attemptlog.purge = 'on'")
        connection.execute("TRUNCATE attempt_events, dead_letters, partition_ledger")


async def store_and_find(place: Place, exam: Exam, partition: Partition) -> None:
    first = envelope(exam, 1, payload_json=PAYLOAD, client_ts=datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    again, other = replace(first, id=new_event_id()), replace(first, id=new_event_id(), payload_json=b"{}")
    stranger = envelope(exam, 2, user_id=str(uuid.uuid4()))
    async with Store(place.consumer, TOPIC) as store:
        await store.write(decode_batch(partition.records(first, envelope(exam, 3))))
        stored = await store.write(decode_batch(partition.records(again, other, stranger, b"\xff\x00\\ no envelope")))
    assert (stored.inserted, stored.duplicates) == (0, 1)
    assert dict(stored.dead_letters) == {"seq_conflict": 1, "session_not_owned": 1, "undecodable": 1}
    found = "SELECT payload_json ->> 'text', client_ts FROM public.attempt_events WHERE id = %s"
    assert query(place.owner, found, first.id) == [(TEXT, first.client_ts)]
    assert ledger(place.owner)[0]["next_offset"] == 6
    assert_accounted(place.owner, partition)


async def replay_what_came_too_early(place: Place, exam: Exam) -> None:
    late, partition = str(uuid.uuid4()), Partition(1)
    async with Store(place.consumer, TOPIC) as store, Replays(place.consumer) as replays:
        await store.write(decode_batch(partition.records(envelope(exam, 1, session_id=late, payload_json=PAYLOAD))))
        with psycopg.connect(place.owner) as connection:
            connection.execute("INSERT INTO public.test_sessions (id, user_id) VALUES (%s, %s)", [late, exam.user])
        assert await replays.retry(TOPIC, timedelta(hours=1)) == {"inserted": 1}
    outcome = "SELECT outcome, detail FROM public.dead_letter_replay_outcomes ORDER BY replayed_at DESC LIMIT 1"
    assert query(place.owner, outcome) == [("inserted", None)]
    text = "SELECT payload_json ->> 'text' FROM public.attempt_events WHERE session_id = %s"
    assert query(place.owner, text, late) == [TEXT]


async def look_up(place: Place, exam: Exam) -> None:
    sessions = PostgresSessions(
        place.gateway, lookup_timeout=timedelta(seconds=5), cache_size=9, cache_ttl=timedelta(minutes=1)
    )
    async with sessions:
        found = (await sessions.find([exam.session], exam.user))[exam.session]
    assert found is not None
    assert (found.user_id, found.questions) == (exam.user, frozenset([exam.question]))


def show(place: Place, exam: Exam) -> None:
    session = read_session(place.operator, uuid.UUID(exam.session), 10)
    assert [entry.client_ts for entry in session.entries][:1] == [datetime(2026, 3, 4, 23, 30, tzinfo=UTC)]
    _, letters = count_and_list(place.operator, Selection(), settled=True, limit=10)
    [undecodable] = [letter for letter in letters if letter["reason"] == "undecodable"]
    assert read_letter(place.operator, undecodable["id"]).row["value"] == b"\xff\x00\\ no envelope"


async def test_triggers_and_foreign_keys_that_are_turned_off_are_refused(place: Place) -> None:
    turned_off = having(place.owner, place.roles[0], {"session_replication_role": "replica"})
    with turned_off, pytest.raises(CannotRun, match="RESET session_replication_role"):
        await Books(place.consumer, TOPIC).ledger()


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
async def test_two_that_store_the_same_wait_for_each_other_under_every_isolation_level(
    place: Place, level: str
) -> None:
    with having(place.owner, place.roles[0], {"default_transaction_isolation": level}):
        exam = insert_exam(place.owner)
        batch = decode_batch(Partition(3).records(*(envelope(exam, seq) for seq in range(500))))
        async with AsyncExitStack() as opened:
            stores = [await opened.enter_async_context(Store(place.consumer, TOPIC)) for _ in range(4)]
            outcomes = await asyncio.gather(*(store.write(batch) for store in stores))
    assert sorted(outcome.inserted for outcome in outcomes) == [0, 0, 0, 500]
    empty(place.owner)


async def test_a_read_only_role_is_waited_for(place: Place) -> None:
    exam = insert_exam(place.owner)
    async with Store(place.consumer, TOPIC) as store:
        with having(place.owner, place.roles[0], {"default_transaction_read_only": "on"}):
            with pytest.raises(StoreUnavailable, match="25006"):
                await store.write(decode_batch(Partition(7).records(envelope(exam))))
            assert store.is_failing
        stored = await store.write(decode_batch(Partition(7).records(envelope(exam))))
    assert stored.inserted == 1


async def test_a_search_path_without_our_schema_is_named(place: Place) -> None:
    told = r"tables are in the schema public.*search_path is elsewhere"
    with having(place.owner, place.roles[0], {"search_path": "elsewhere"}), pytest.raises(CannotRun, match=told):
        await Books(place.consumer, TOPIC).ledger()


ENCODINGS = [("LATIN1", "C"), ("SQL_ASCII", "C"), ("EUC_JP", "C")]


@pytest.fixture(params=ENCODINGS, ids=lambda it: it[0])
def other_encoding(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[str]:
    """The URL of a database that is not UTF8."""
    encoding, locale = request.param
    name = f"attemptlog_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        make = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE_PROVIDER libc LOCALE {}"
        connection.execute(sql.SQL(make).format(sql.Identifier(name), sql.Literal(encoding), sql.Literal(locale)))
        yield with_database(postgres_url, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def test_a_database_that_is_not_utf8_is_refused_in_a_sentence(other_encoding: str) -> None:
    with pytest.raises(migrations.MigrationError, match="ENCODING 'UTF8'"):
        migrations.upgrade(other_encoding)
    with pytest.raises(CannotRun, match="ENCODING 'UTF8'"):
        await Books(other_encoding, TOPIC).ledger()
    with pytest.raises(OperatorError, match="ENCODING 'UTF8'"):
        count_and_list(other_encoding, Selection(), settled=True, limit=10)


async def test_the_example_platform_speaks_utf8_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    async with connections(place.owner) as pool, pool.connection() as connection:
        assert await (await connection.execute("SELECT %s::text", [TEXT])).fetchall() == [(TEXT,)]
