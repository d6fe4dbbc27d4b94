"""What the console watches for operators: Kafka, PostgreSQL and the gateways, each by looks that everybody shares."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

import httpx
from psycopg_pool import PoolTimeout

from attemptlog.console.gateways import rejected_by, shown
from attemptlog.console.kafka_look import KafkaLook, KafkaSight
from attemptlog.console.kafka_look import explain as explain_kafka
from attemptlog.console.lookout import Lookout, Seen
from attemptlog.console.reader import Reader
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.operations import StoredSight, read_stored
from attemptlog.event_store.viewing import Viewer
from attemptlog.runtime.admin import Cluster

# Together 0.25 s: an answer is there within 0.3 s, whatever hangs.
DATABASE_PATIENCE = 0.1  # seconds
PATIENCE = 0.15  # seconds, for Kafka and all gateways at once

NOBODY_IN_PARTICULAR = Viewer("", "operator")  # what is seen is for whoever may see operations

Rejections = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of each; `gateways` are in the order of the settings."""

    database: Seen[StoredSight]
    kafka: Seen[KafkaSight]
    gateways: Sequence[tuple[str, Seen[Rejections]]]


class Watch:
    """Looks while somebody asks. Use as `async with`; entering it connects to nothing."""

    def __init__(self, reader: Reader, kafka: Cluster | None, topic: str, group: str, gateways: Sequence[str]) -> None:
        self._reader = reader
        self._topic = topic
        self._kafka_look = KafkaLook(kafka, topic, group)
        self._client = httpx.AsyncClient()
        self._stack = AsyncExitStack()
        self._database = Lookout("PostgreSQL", self._look_at_database, _explain_database)
        self._kafka = Lookout("Kafka", self._look_at_kafka, explain_kafka)
        self._gateways = [(shown(url), self._lookout_on(url)) for url in gateways]

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._client)
        await self._stack.enter_async_context(self._kafka_look)
        await self._stack.enter_async_context(self._database)
        await self._stack.enter_async_context(self._kafka)
        for _, gateway in self._gateways:
            await self._stack.enter_async_context(gateway)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def seen(self) -> Watched:
        """Return what is known, after a quarter of a second at most."""
        database = await self._database.seen(DATABASE_PATIENCE)  # first: Kafka is asked for what is not stored
        kafka, gateways = await asyncio.gather(self._kafka.seen(PATIENCE), self._seen_of_gateways())
        return Watched(database, kafka, gateways)

    async def _seen_of_gateways(self) -> list[tuple[str, Seen[Rejections]]]:
        found = await asyncio.gather(*(lookout.seen(PATIENCE) for _, lookout in self._gateways))
        return [(url, seen) for (url, _), seen in zip(self._gateways, found, strict=True)]

    async def _look_at_database(self) -> StoredSight:
        async with self._reader.looking(NOBODY_IN_PARTICULAR) as connection:
            return await read_stored(connection, self._topic)

    async def _look_at_kafka(self) -> KafkaSight:
        stored = self._database.known().last
        return await self._kafka_look.take(stored.value.next_offsets if stored else {})

    def _lookout_on(self, url: str) -> Lookout[Rejections]:
        look: Callable[[], Awaitable[Rejections]] = lambda: rejected_by(self._client, url)  # noqa: E731 - with its type
        return Lookout(shown(url), look, lambda _: f"{shown(url)} does not answer.")


def _explain_database(error: Exception) -> str:
    if isinstance(error.__cause__, PoolTimeout):
        return "PostgreSQL cannot be reached: start it, or mend ATTEMPTLOG_DATABASE_URL."
    if isinstance(error, CannotRun):
        return f"{str(error).rstrip('.')}."
    if isinstance(error, StoreUnavailable):
        return f"PostgreSQL cannot be read now ({str(error).rstrip('.')})."
    return f"PostgreSQL cannot be read now ({type(error).__name__})."
