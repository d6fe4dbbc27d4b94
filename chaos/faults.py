"""What is done to the pipeline. A fault is over, and what it ended runs again, when its function returns."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import get_args

import psycopg

from attemptlog.event_store.acceptance import accept
from attemptlog.event_store.audit import drain, take_audit
from attemptlog.event_store.comparison import compare_logs
from attemptlog.runtime.admin import admin_client, describe
from attemptlog.runtime.topics import ensure_topic
from chaos.proxy import End, Proxy
from chaos.service import Service
from chaos.stage import SESSION_TIMEOUT, Stage

Fault = Callable[[Stage, Random], Awaitable[None]]

JOIN_DEADLINE = 5.0  # seconds
DRAIN_DEADLINE = 30.0  # seconds
REFUSAL_DEADLINE = 20.0  # seconds; it takes a consumer that long at most to leave
POLL_SECONDS = 0.1
LATE = (0.2, 1.2)  # seconds; with it a batch is acknowledged within the gateway's delivery deadline, or just not
DELAYS = (0.05, 0.5, 3.0)  # seconds; the last is longer than the gateway's delivery deadline

ENDS: tuple[End, ...] = get_args(End)

LOCK_EVENTS = "LOCK TABLE attempt_events IN ACCESS EXCLUSIVE MODE"

CUT_CONNECTIONS = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND usename LIKE 'attemptlog_%'
"""


async def consumer_killed(stage: Stage, dice: Random) -> None:
    """Kill -9 a consumer."""
    async with _one_of(stage.consumers, dice) as consumer:
        consumer.kill()
        await _pause(dice, 0, 1)
        consumer.start()


async def consumer_frozen(stage: Stage, dice: Random) -> None:
    """SIGSTOP a consumer until its partitions have moved: what it has in hand when it wakes is another's by then."""
    async with _one_of(stage.consumers, dice) as consumer:
        consumer.freeze()
        await asyncio.sleep(SESSION_TIMEOUT.total_seconds() + dice.uniform(0.5, 2))
        consumer.thaw()


async def consumer_leaves(stage: Stage, dice: Random) -> None:
    """SIGTERM a consumer, and start it again."""
    async with _one_of(stage.consumers, dice) as consumer:
        await consumer.stop()
        await _pause(dice, 0, 1)
        consumer.start()


async def consumer_joins(stage: Stage, dice: Random) -> None:
    """Start one more consumer, which leaves again."""
    stage.another_consumer.start()
    await stage.another_consumer.is_ready_within(JOIN_DEADLINE)
    await _pause(dice, 0, 2)
    await stage.another_consumer.stop()


async def gateway_killed(stage: Stage, dice: Random) -> None:
    """Kill -9 a gateway."""
    async with _one_of(stage.gateways, dice) as gateway:
        gateway.kill()
        await _pause(dice, 0, 1)
        gateway.start()


async def kafka_killed(stage: Stage, dice: Random) -> None:
    """Kill -9 Kafka, and start it on the same log."""
    await asyncio.to_thread(stage.servers.kafka.kill)
    await _pause(dice, 0, 1)
    await asyncio.to_thread(stage.servers.kafka.start)


async def postgres_killed(stage: Stage, dice: Random) -> None:
    """Kill -9 PostgreSQL or shut it down at once, and start it: it has to recover."""
    postgres = stage.servers.postgres
    await asyncio.to_thread(dice.choice([postgres.kill, lambda: postgres.stop("immediate")]))
    await _pause(dice, 0, 2)
    await asyncio.to_thread(postgres.start)


async def table_locked(stage: Stage, _: Random) -> None:
    """Hold a lock on attempt_events that nothing gets past, as a careless migration would."""
    with suppress(psycopg.OperationalError):  # PostgreSQL may be killed meanwhile, and the lock with it
        async with await psycopg.AsyncConnection.connect(stage.database_url) as connection:
            await connection.execute(LOCK_EVENTS)
            await asyncio.sleep(stage.lock_time.total_seconds())


async def connections_cut(stage: Stage, dice: Random) -> None:
    """Terminate the services' backends in PostgreSQL, several times."""
    for _ in range(5):
        with suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(stage.database_url) as connection:
                await connection.execute(CUT_CONNECTIONS)
        await _pause(dice, 0.1, 0.6)


async def topic_made_anew(stage: Stage, dice: Random) -> None:
    """Delete the topic and create it again once all is stored; it is refused until somebody accepts it."""
    for gateway in stage.gateways:  # an event that is accepted now, and not stored, would be lost with the topic
        await gateway.stop(-signal.SIGTERM)  # which uvicorn ends with once it has answered all
    if not await drain(stage.kafka, stage.database_url, stage.topic, DRAIN_DEADLINE):
        stage.surprises.append("the consumers did not store what was accepted before the topic was to be made anew")
        return
    stopped = dice.choice(stage.consumers)
    await stopped.stop()
    await _make_anew(stage)
    for gateway in stage.gateways:
        gateway.start()
    await _pause(dice, 2, 5)  # for candidates to fill it, past the ledger or not
    stopped.start()
    for consumer in stage.consumers:
        if not await consumer.refuses_within(REFUSAL_DEADLINE):
            stage.surprises.append(f"the {consumer.name} did not refuse a topic that was made anew: see {consumer.log}")
    await _accept(stage)
    for consumer in stage.consumers:
        consumer.start()


async def _make_anew(stage: Stage) -> None:
    async with admin_client(stage.kafka) as client:
        await client.delete_topics([stage.topic])
        while True:
            if await describe(client, stage.topic) is None:
                break
            await asyncio.sleep(POLL_SECONDS)
    await ensure_topic(stage.kafka, stage.topic)


async def _accept(stage: Stage) -> None:
    found = await compare_logs(stage.kafka, stage.database_url, stage.topic)
    audit = await take_audit(stage.kafka, stage.database_url, stage.topic)
    if not found.objections or not audit.problems(allow_pending=True):
        stage.surprises.append("the audit agreed about a topic that was made anew")
    await accept(stage.database_url, stage.topic, found, "chaos")


async def slow(proxy: Proxy, dice: Random) -> None:
    """Delay everything."""
    proxy.delay = dice.choice(DELAYS)
    await _pause(dice, 1, 4)
    proxy.heal()


async def slow_neighbour(stage: Stage, dice: Random) -> None:
    """Have Kafka, PostgreSQL or both answer late all the time, but answer."""
    proxies = dice.choice([[stage.kafka_proxy], [stage.postgres_proxy], [stage.kafka_proxy, stage.postgres_proxy]])
    for proxy in proxies:
        proxy.delay = dice.uniform(*LATE)
    await _pause(dice, 6, 10)
    for proxy in proxies:
        proxy.heal()


async def reset(proxy: Proxy, dice: Random) -> None:
    """Reset all connections, several times."""
    for _ in range(5):
        proxy.reset()
        await _pause(dice, 0.1, 0.6)


async def half_closed(proxy: Proxy, dice: Random) -> None:
    """Close one direction of all connections, several times: requests arrive whose replies do not, or none do."""
    for _ in range(3):
        proxy.half_close(dice.choice(ENDS))
        await _pause(dice, 0.5, 1)
    proxy.heal()


def _to_kafka(fault: Callable[[Proxy, Random], Awaitable[None]]) -> Fault:
    return lambda stage, dice: fault(stage.kafka_proxy, dice)


def _to_postgres(fault: Callable[[Proxy, Random], Awaitable[None]]) -> Fault:
    return lambda stage, dice: fault(stage.postgres_proxy, dice)


@asynccontextmanager
async def _one_of(services: Sequence[Service], dice: Random) -> AsyncIterator[Service]:
    """Lend one that no other fault is at; wait for one when there is none."""
    idle = [service for service in services if not service.turn.locked()]
    service = dice.choice(idle or services)
    async with service.turn:
        yield service


async def _pause(dice: Random, shortest: float, longest: float) -> None:
    await asyncio.sleep(dice.uniform(shortest, longest))


ALONE = frozenset({"topic made anew"})

FAULTS: dict[str, Fault] = {
    "consumer killed": consumer_killed,
    "consumer frozen": consumer_frozen,
    "consumer leaves": consumer_leaves,
    "consumer joins": consumer_joins,
    "gateway killed": gateway_killed,
    "Kafka killed": kafka_killed,
    "PostgreSQL killed": postgres_killed,
    "table locked": table_locked,
    "backends terminated": connections_cut,
    "topic made anew": topic_made_anew,
    "slow neighbour": slow_neighbour,
    "Kafka slow": _to_kafka(slow),
    "Kafka reset": _to_kafka(reset),
    "Kafka half-closed": _to_kafka(half_closed),
    "PostgreSQL slow": _to_postgres(slow),
    "PostgreSQL reset": _to_postgres(reset),
    "PostgreSQL half-closed": _to_postgres(half_closed),
}
