"""Envelopes into a real Kafka: acks=all, idempotent, partitioned as every other Kafka client does by default."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from attemptlog.publisher.destination import Destination, stop
from attemptlog.publisher.lanes import Lanes, Wait
from attemptlog.publisher.limits import Limits
from attemptlog.publisher.port import EnvelopeTooLarge, KafkaUnavailable
from attemptlog.publisher.traces import by_trace
from attemptlog.runtime.kafka import KafkaSecurity, addresses
from attemptlog.runtime.tracing import TracingSettings, traceparent_of
from attemptlog.schemas import ATTEMPT_EVENTS, Envelope, encode
from attemptlog.schemas.topics import topic_name

logger = logging.getLogger(__name__)

PARTITION_CACHE_SIZE = 65_536  # sessions; murmur2 in Python costs 8 µs, a hit 0.1 µs
LATENESS = timedelta(milliseconds=5)  # how much longer than the delivery deadline anybody waits
FAILURE_PAUSE = timedelta(seconds=1)  # before connecting again after what nobody expected
LOOK_INTERVAL = timedelta(seconds=30)  # until a changed max.message.bytes is known
RETRY_PAUSE = wait_exponential_jitter(multiplier=0.1, max=2)  # seconds


@lru_cache(maxsize=PARTITION_CACHE_SIZE)
def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives a key among `partitions`."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class KafkaPublisher:
    """Publishes envelopes to one topic; see `publisher.port.Publisher`.

    It connects in the background and again after every failure, so a process can start, and go on, without Kafka.
    At most `max_buffered_bytes` of records wait for an acknowledgement; over that `publish` refuses at once.
    Without `security`, TLS and login are as the environment says; so is, without `tracing`, whether records take the
    caller's trace along. What connecting fails of unexpectedly is logged and handed to `failed`, once; without it,
    connecting is tried again. Raises ValueError for an address or a topic's name that cannot be one, and for tracing
    that is not installed.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic: str = ATTEMPT_EVENTS.name,
        delivery_deadline: timedelta = timedelta(seconds=5),
        max_buffered_bytes: int = 32 * 1024 * 1024,
        security: KafkaSecurity | None = None,
        tracing: TracingSettings | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.max_buffered_bytes = max_buffered_bytes
        self._destination = Destination(
            addresses(bootstrap_servers), topic_name(topic), security or KafkaSecurity(), delivery_deadline
        )
        self._failed = failed
        self._traceparent = traceparent_of(tracing or TracingSettings())
        self._limits = Limits()
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

        Takes at most the delivery deadline, and no time at all while Kafka is known to be away. Raises EnvelopeTooLarge
        for what the topic is known not to take.
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
        has_room = lanes.limits.record_bytes is None  # for headers, too
        runs = [
            (id_.encode(), [*map(encode, run)], headers)
            for headers, part in by_trace(envelopes, self._traceparent if has_room else None)
            for id_, run in groupby(part, attrgetter("session_id"))
        ]
        if not has_room:
            _refuse_too_large(envelopes, lanes.limits)
        size = sum(len(value) for _, values, _ in runs for value in values)
        if lanes.buffered_bytes + size > self.max_buffered_bytes:
            raise KafkaUnavailable(f"{lanes.buffered_bytes} bytes already wait for Kafka")
        return [
            it
            for key, values, headers in runs
            for it in lanes.append(partition_for(key, len(lanes)), key, values, headers)
        ]

    async def _keep_connected(self) -> None:
        while True:
            try:
                await self._serve(*await self._connect())
            except (Exception, asyncio.CancelledError) as error:
                if _is_told_to_end():
                    raise
                logger.critical("the connection to Kafka failed", exc_info=error, extra={"action": "keeper_failed"})
                if self._failed is not None:
                    self._failed(error)
                    return
                await asyncio.sleep(FAILURE_PAUSE.total_seconds())

    async def _serve(self, producer: AIOKafkaProducer, lanes: Lanes) -> None:
        """Publish until the producer has to be replaced; it is stopped then, and nobody waits for it any more."""
        async with asyncio.TaskGroup() as group:
            watches = [group.create_task(it) for it in (self._watch_limits(producer, lanes), _give_up_late(lanes))]
            producer.client.cluster.add_listener(lanes.follow)
            self._lanes = lanes
            try:
                await lanes.broken.wait()
            finally:
                self._lanes, self._limits = None, lanes.limits
                await stop(producer)  # lets what is on its way arrive, within STOP_DEADLINE
                lanes.close()
                for watch in watches:
                    watch.cancel()

    async def _watch_limits(self, producer: AIOKafkaProducer, lanes: Lanes) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL.total_seconds())
            with contextlib.suppress(KafkaError):
                lanes.limits = await self._destination.limits(producer) or replace(lanes.limits, record_bytes=None)

    async def _connect(self) -> tuple[AIOKafkaProducer, Lanes]:
        async for attempt in AsyncRetrying(
            wait=RETRY_PAUSE, retry=retry_if_exception_type((KafkaError, OSError)), before_sleep=self._log_failure
        ):
            with attempt:
                producer, lanes = await self._open()
        logger.info("connected to Kafka", extra={"action": "kafka_connected", "partitions": len(lanes)})
        return producer, lanes

    async def _open(self) -> tuple[AIOKafkaProducer, Lanes]:
        producer, partitions = await self._destination.open()
        try:
            limits = await self._destination.limits(producer) or self._limits
        except BaseException:
            await stop(producer)
            raise
        return producer, Lanes(producer, self._destination.topic, partitions, self._destination.deadline, limits)

    async def _log_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        why = await self._destination.why_away(error)
        logger.warning("%s", why, extra={"action": "kafka_away", "error": type(error).__name__})


def _is_told_to_end() -> bool:
    """Whether the running task is being cancelled; a CancelledError of aiokafka's own says nothing about that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _refuse_too_large(envelopes: Sequence[Envelope], limits: Limits) -> None:
    ids = frozenset(it.id for it in envelopes if not limits.takes(it.session_id.encode(), encode(it)))
    if ids:
        raise EnvelopeTooLarge(ids)


async def _give_up_late(lanes: Lanes) -> None:
    while True:
        nobody_late_for = lanes.give_up_late()
        await asyncio.sleep(nobody_late_for + LATENESS.total_seconds())
