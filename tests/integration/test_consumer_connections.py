"""A consumer's connection holds nothing back and outlives nothing."""

from datetime import timedelta

import psycopg

from consumer.database import Database
from consumer.decoding import decode_batch
from consumer.store import store_rows
from tests.support.consumer import Partition, consumer_role, envelope, query
from tests.support.eventually import eventually
from tests.support.http import insert_exam

LIFETIME = timedelta(milliseconds=500)
OLDEST = "SELECT max(age(relfrozenxid)) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
COUNT = "SELECT count(*) FROM attempt_events"


def use_transaction_ids(database_url: str, count: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(count):
            connection.execute("SELECT pg_current_xact_id()")


async def test_an_idle_connection_does_not_hold_back_the_servers_transaction_ids(database_url: str) -> None:
    exam, partition = insert_exam(database_url), Partition()
    with consumer_role(database_url) as url:
        database = Database(url, timedelta(seconds=5), connection_lifetime=LIFETIME)
        for seq in (1, 2):
            rows = decode_batch(partition.records(envelope(exam, seq))).rows
            async with database.transaction() as connection:
                await store_rows(connection, rows)
            use_transaction_ids(database_url, 1000)
            assert database.is_available
            await eventually(lambda: query(database_url, OLDEST) == [None])
            assert database.is_available
        await database.close()
    assert query(database_url, COUNT) == [2]


async def test_a_busy_connection_is_renewed_between_transactions(database_url: str) -> None:
    exam, partition = insert_exam(database_url), Partition()
    with consumer_role(database_url) as url:
        database = Database(url, timedelta(seconds=5), connection_lifetime=LIFETIME)
        backends = set[int]()

        async def has_had_three() -> bool:
            rows = decode_batch(partition.records(envelope(exam, None))).rows
            async with database.transaction() as connection:
                backends.add(connection.info.backend_pid)
                await store_rows(connection, rows)
            return len(backends) == 3

        await eventually(has_had_three)
        await database.close()
    assert query(database_url, COUNT) == [partition.next_offset]
