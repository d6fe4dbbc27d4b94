"""Envelopes into a real Kafka: acks=all, idempotent, partitioned as every other Kafka client does by default."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.partitioner import murmur2
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from publisher.lanes import Lanes, Wait
from publisher.port import KafkaUnavailable
from schemas import ATTEMPT_EVENTS, Envelope, encode
from schemas.kafka import KafkaSecurity, addresses, why_refused
from schemas.topics import topic_name

logger = logging.getLogger(__name__)

MAX_BATCH_BYTES = 512 * 1024  # half of the broker's default message.max.bytes: one record more never passes it
PARTITION_CACHE_SIZE = 65_536  # sessions; murmur2 in Python costs 8 µs, a hit 0.1 µs
STOP_DEADLINE = timedelta(seconds=4)  # a process manager kills after 10 s, and the rest of a stop needs some of them
ABANDON_DEADLINE = timedelta(seconds=1)  # what then still waits for Kafka is cancelled
LATENESS_INTERVAL = timedelta(milliseconds=100)  # how much longer than the delivery deadline anybody waits
RETRY_PAUSE = wait_exponential_jitter(multiplier=0.1, max=2)  # seconds


@lru_cache(maxsize=PARTITION_CACHE_SIZE)
def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives a key among `partitions`."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class KafkaPublisher:
    """Publishes envelopes to one topic; see `publisher.port.Publisher`.

    It connects in the background and again after every failure, so a process can start, and go on, without Kafka.
    At most `max_buffered_bytes` of records wait for an acknowledgement; over that `publish` refuses at once.
    Without `security`, TLS and login are as the environment says. Raises ValueError for an address or a topic's name
    that cannot be one.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic: str = ATTEMPT_EVENTS.name,
        delivery_deadline: timedelta = timedelta(seconds=5),
        max_buffered_bytes: int = 32 * 1024 * 1024,
        security: KafkaSecurity | None = None,
    ) -> None:
        self.max_buffered_bytes = max_buffered_bytes
        self._bootstrap_servers = addresses(bootstrap_servers)
        self._security = security or KafkaSecurity()
        self._topic = topic_name(topic)
        self._deadline = delivery_deadline
        self._lanes: Lanes | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_connected())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    @property
    def is_ready(self) -> bool:
        """True while connected and no partition is behind the delivery deadline."""
        return self._lanes is not None and not self._lanes.is_stalled

    @property
    def buffered_bytes(self) -> int:
        """Bytes of envelopes that wait for an acknowledgement, those included that nobody waits for any more."""
        return 0 if self._lanes is None else self._lanes.buffered_bytes

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when every envelope is acknowledged by all in-sync replicas; raise KafkaUnavailable otherwise.

        Takes at most the delivery deadline, and no time at all while Kafka is known to be away.
        """
        if not envelopes:
            return
        lanes = self._lanes
        if lanes is None:
            raise KafkaUnavailable("not connected to Kafka")
        for wait in self._put(envelopes, lanes):
            if (why_not := await wait) is not None:
                raise KafkaUnavailable(why_not)

    def _put(self, envelopes: Sequence[Envelope], lanes: Lanes) -> list[Wait]:
        """Encode, and put on the way; what was encoded takes up nearly 4 KiB each until it is."""
        runs = [(id_.encode(), [*map(encode, run)]) for id_, run in groupby(envelopes, attrgetter("session_id"))]
        size = sum(len(value) for _, values in runs for value in values)
        if lanes.buffered_bytes + size > self.max_buffered_bytes:
            raise KafkaUnavailable(f"{lanes.buffered_bytes} bytes already wait for Kafka")
        return [it for key, values in runs for it in lanes.append(partition_for(key, len(lanes)), key, values)]

    async def _keep_connected(self) -> None:
        while True:
            producer, lanes = await self._connect()
            self._lanes = lanes
            try:
                await _until_broken(lanes)
            finally:
                self._lanes = None
                await _stop(producer)  # lets what is on its way arrive, within STOP_DEADLINE
                lanes.close()

    async def _connect(self) -> tuple[AIOKafkaProducer, Lanes]:
        async for attempt in AsyncRetrying(
            wait=RETRY_PAUSE, retry=retry_if_exception_type((KafkaError, OSError)), before_sleep=self._log_failure
        ):
            with attempt:
                producer, lanes = await self._open()
        logger.info("connected to Kafka", extra={"action": "kafka_connected", "partitions": len(lanes)})
        return producer, lanes

    async def _open(self) -> tuple[AIOKafkaProducer, Lanes]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=MAX_BATCH_BYTES,
            request_timeout_ms=int(self._deadline.total_seconds() * 1000),
            **self._security.client_arguments(),
        )
        try:
            await producer.start()
            partitions = await producer.partitions_for(self._topic)
        except BaseException:
            await _stop(producer)
            raise
        return producer, Lanes(producer, self._topic, len(partitions), self._deadline)

    async def _log_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        why = type(error).__name__
        if isinstance(error, KafkaConnectionError):
            why = await why_refused(self._bootstrap_servers, self._security)
        logger.warning("Kafka is away: %s", why, extra={"action": "kafka_away", "error": type(error).__name__})


async def _until_broken(lanes: Lanes) -> None:
    while not lanes.broken.is_set():
        lanes.give_up_late()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATENESS_INTERVAL.total_seconds()):
                await lanes.broken.wait()


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(producer.stop(), STOP_DEADLINE.total_seconds())
    except TimeoutError:  # stop() flushes first, and an idempotent producer tries for ever
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABANDON_DEADLINE.total_seconds()):
                await producer.client.close()
                await producer._sender.close()
