"""Rows that a policy hides, and grants that work by half: never an answer as if the rows were not there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from attemptlog.cli.doctor import _database
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.store import Store
from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from attemptlog.ingest_api.sessions import Session
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from tests.support.consumer import Partition, consumer_role, envelope
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.secured import login

HIDE = "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
SHOW = "CREATE POLICY shown ON {table} FOR SELECT TO {role} USING (true)"
SHOW_SOME = "CREATE POLICY shown ON {table} TO PUBLIC USING (id = gen_random_uuid())"
BUT_NONE = "CREATE POLICY restricted ON {table} AS RESTRICTIVE TO {role} USING (false)"

READ_BY_CONSUMER = ["test_sessions", "questions", "exam_questions"]
OWN = ["attempt_events", "dead_letters", "partition_ledger"]


@dataclass(frozen=True)
class Services:
    """The owner's URL, and one login of each service."""

    owner: str
    consumer: str
    gateway: str
    exam: Exam

    def execute(self, *statements: str, **names: str) -> None:
        roles = {name: str(conninfo_to_dict(getattr(self, name))["user"]) for name in ("consumer", "gateway")}
        with psycopg.connect(self.owner) as connection:
            for statement in statements:
                connection.execute(statement.format(**(roles | names)).encode())

    async def doctor(self) -> str:
        """Return what the doctor complains of; other tests' logins are in the same roles."""
        try:
            await _database(OperatorSettings(database_url=self.owner))
        except OperatorError as error:
            return str(error)
        return ""

    async def store(self) -> int:
        async with Store(self.consumer, "attempt-events.v1") as store:
            return (await store.write(decode_batch(Partition().records(envelope(self.exam))))).inserted


@pytest.fixture
def services(database_url: str) -> Iterator[Services]:
    with consumer_role(database_url) as consumer:
        gateway = login(database_url, "attemptlog_gateway", "a-password")
        it = Services(database_url, consumer, gateway, insert_exam(database_url))
        yield it
        it.execute("ALTER ROLE {gateway} RESET ALL")  # the login stays, and others look for what is wrong, too


def directory(services: Services) -> PostgresSessions:
    return PostgresSessions(
        services.gateway, lookup_timeout=timedelta(seconds=5), cache_size=10, cache_ttl=timedelta(minutes=1)
    )


@pytest.mark.parametrize("table", ["test_sessions", "exam_questions"])
async def test_sessions_that_are_hidden_from_the_gateway_are_not_unknown(
    services: Services, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    services.execute(HIDE, table=table)
    async with directory(services) as sessions:
        assert await sessions.find([services.exam.session], services.exam.user) == {}
        assert not sessions.is_ready
        assert f"row level security on {table} hides rows from" in caplog.records[-1].__dict__["error"]
        assert f"row level security on {table} hides rows from attemptlog_gateway_" in await services.doctor()
        services.execute(SHOW, table=table, role="attemptlog_gateway, attemptlog_consumer, attemptlog_purger")
        expected = {services.exam.session: Session(services.exam.user, frozenset([services.exam.question]))}

        async def is_found() -> bool:
            return await sessions.find([services.exam.session], services.exam.user) == expected

        await eventually(is_found)
    assert await services.doctor() == ""


@pytest.mark.parametrize("policy", [SHOW_SOME, SHOW + ";" + BUT_NONE], ids=["some", "restrictive"])
async def test_a_policy_that_shows_some_rows_hides_the_others(services: Services, policy: str) -> None:
    services.execute(
        HIDE, policy, table="test_sessions", role="attemptlog_gateway, attemptlog_consumer, attemptlog_purger"
    )
    async with directory(services) as sessions:
        assert await sessions.find([services.exam.session], services.exam.user) == {}
    with pytest.raises(CannotRun, match="row level security on test_sessions hides rows"):
        await services.store()


@pytest.mark.parametrize("table", [*READ_BY_CONSUMER, *OWN])
async def test_a_consumer_from_which_rows_are_hidden_does_not_start(services: Services, table: str) -> None:
    services.execute(HIDE, table=table)
    told = f"row level security on {table} hides rows from consumer_"
    with pytest.raises(CannotRun, match=told):
        await services.store()
    assert told in await services.doctor()
    services.execute("ALTER ROLE {consumer} BYPASSRLS")
    assert told not in await services.doctor()
    assert await services.store() == 1


@pytest.mark.parametrize("table", READ_BY_CONSUMER)
async def test_a_policy_that_shows_the_consumer_everything_will_do(services: Services, table: str) -> None:
    services.execute(HIDE, SHOW, table=table, role="attemptlog_gateway, attemptlog_consumer, attemptlog_purger")
    assert await services.doctor() == ""
    assert await services.store() == 1


async def test_for_a_table_that_is_written_a_policy_to_read_is_not_enough(services: Services) -> None:
    services.execute(HIDE, SHOW, table="partition_ledger", role="attemptlog_consumer")
    with pytest.raises(CannotRun, match="row level security on partition_ledger hides rows"):
        await services.store()


async def test_nobody_is_told_to_do_what_is_not_enough_or_twice(services: Services) -> None:
    services.execute(HIDE, table="attempt_events")
    with pytest.raises(CannotRun) as raised:
        await services.store()
    assert str(raised.value).count("BYPASSRLS") == 1
    assert "CREATE POLICY" not in str(raised.value)
    told = (await services.doctor()).split("; ")
    assert all("exporter" in sentence for sentence in told if "CREATE POLICY" in sentence)  # it only reads


async def test_rows_that_are_hidden_while_a_consumer_runs_stop_it(services: Services) -> None:
    partition = Partition()
    async with Store(services.consumer, "attempt-events.v1") as store:
        await store.write(decode_batch(partition.records(envelope(services.exam, 1))))
        services.execute(HIDE, table="test_sessions")
        with pytest.raises(CannotRun, match="row-level security"):
            await store.write(decode_batch(partition.records(envelope(services.exam, 2))))


LACKING = {
    "REVOKE SELECT ON questions FROM attemptlog_consumer": "may not SELECT questions",
    "REVOKE INSERT ON attempt_events FROM attemptlog_consumer": "may not INSERT attempt_events",
    "REVOKE UPDATE ON partition_ledger FROM attemptlog_consumer": "may not UPDATE partition_ledger",
    "REVOKE USAGE ON SCHEMA public FROM attemptlog_consumer, PUBLIC": "schema",
}


@pytest.mark.parametrize("statement", LACKING)
async def test_a_grant_that_the_consumer_lacks_is_named(services: Services, statement: str) -> None:
    services.execute(statement)
    with pytest.raises(CannotRun, match=LACKING[statement]):
        await services.store()
    assert LACKING[statement] in await services.doctor()


MISSET = {
    "ALTER ROLE {gateway} SET search_path = pg_catalog": "does not find the tables, which are in the schema public",
    "ALTER ROLE {consumer} SET session_replication_role = replica": "RESET session_replication_role",
    "ALTER ROLE {consumer} SET default_transaction_read_only = on": "RESET default_transaction_read_only",
}


@pytest.mark.parametrize("statement", MISSET)
async def test_a_setting_of_a_login_with_which_it_cannot_work_is_named(services: Services, statement: str) -> None:
    services.execute("ALTER ROLE {gateway} SET search_path = elsewhere, public")
    services.execute("ALTER ROLE {gateway} SET default_transaction_read_only = on")
    assert await services.doctor() == ""
    services.execute(statement)
    assert MISSET[statement] in await services.doctor()


@pytest.mark.parametrize(
    "statement",
    [
        "REVOKE ALL ON test_sessions FROM attemptlog_gateway",
        "REVOKE ALL ON exam_questions FROM attemptlog_gateway",
        "REVOKE USAGE ON SCHEMA public FROM attemptlog_gateway, PUBLIC",
        "ALTER ROLE {gateway} SET search_path = pg_catalog",
    ],
)
async def test_without_a_grant_the_gateway_knows_that_it_cannot_look_up(services: Services, statement: str) -> None:
    services.execute(statement)
    async with directory(services) as sessions:
        assert await sessions.find([services.exam.session], services.exam.user) == {}
        assert not sessions.is_ready
