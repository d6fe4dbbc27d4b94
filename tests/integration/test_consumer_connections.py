"""A consumer's connection holds nothing back and outlives nothing."""

import time
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from attemptlog.event_store.database import Database
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.errors import StoreUnavailable
from attemptlog.event_store.rows import store_rows
from attemptlog.event_store.store import Store
from attemptlog.local_stack.ports import free_port
from chaos.proxy import Proxy
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
        async with Database(url, timedelta(seconds=5), connection_lifetime=LIFETIME) as database:
            for seq in (1, 2):
                rows = decode_batch(partition.records(envelope(exam, seq))).rows
                async with database.transaction() as connection:
                    await store_rows(connection, rows)
                use_transaction_ids(database_url, 1000)
                assert database.answers
                await eventually(lambda: query(database_url, OLDEST) == [None])
                assert database.answers
    assert query(database_url, COUNT) == [2]


async def test_a_busy_connection_is_renewed_between_transactions(database_url: str) -> None:
    exam, partition = insert_exam(database_url), Partition()
    with consumer_role(database_url) as url:
        async with Database(url, timedelta(seconds=5), connection_lifetime=LIFETIME) as database:
            backends = set[int]()

            async def has_had_three() -> bool:
                rows = decode_batch(partition.records(envelope(exam, None))).rows
                async with database.transaction() as connection:
                    backends.add(connection.info.backend_pid)
                    await store_rows(connection, rows)
                return len(backends) == 3

            await eventually(has_had_three)
    assert query(database_url, COUNT) == [partition.next_offset]


async def test_over_a_slow_network_a_batch_takes_longer_and_a_statement_no_longer_than_its_time(
    database_url: str,
) -> None:
    exam, partition = insert_exam(database_url), Partition()
    with consumer_role(database_url) as url:
        address = urlsplit(url)
        async with Proxy(free_port(), address.port or 5432) as proxy:
            proxy.delay = 0.05
            through = urlunsplit(address._replace(netloc=address.netloc.replace(f":{address.port}", f":{proxy.port}")))
            batch = decode_batch(partition.records(*(envelope(exam, seq) for seq in range(1000))))
            async with Store(through, "attempt-events.v1") as store:
                assert (await store.write(batch)).inserted == 1000
            async with Store(through, "attempt-events.v1", statement_timeout=timedelta(seconds=1)) as store:
                with psycopg.connect(database_url) as connection:
                    connection.execute("LOCK TABLE attempt_events IN ACCESS EXCLUSIVE MODE")
                    started = time.monotonic()
                    with pytest.raises(StoreUnavailable, match="57014"):
                        await store.write(decode_batch(partition.records(envelope(exam, 2000))))
                    assert time.monotonic() - started > 0.9  # and the lock is never let go
