"""Where envelopes go: the topic, how its Kafka lets us in, and what to say when it does not."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from attemptlog.publisher.limits import Limits
from attemptlog.runtime.aiokafka_private import abandon, look_only
from attemptlog.runtime.kafka import KafkaSecurity, why_refused
from attemptlog.runtime.metadata import max_message_bytes, partitions_of

CONNECT_DEADLINE = timedelta(seconds=15)  # three times what a leader's election takes; aiokafka alone has none
STOP_DEADLINE = timedelta(seconds=4)  # a process manager kills after 10 s, and the rest of a stop needs some of them
ABANDON_DEADLINE = timedelta(seconds=1)  # what then still waits for Kafka is cancelled
METADATA_MAX_AGE_MS = 30_000  # after which added partitions are written to; Kafka's own default is ten times that


@dataclass(frozen=True, slots=True)
class Destination:
    """A topic of a Kafka; `deadline` is that of each request."""

    bootstrap_servers: str
    topic: str
    security: KafkaSecurity
    deadline: timedelta

    async def open(self) -> tuple[AIOKafkaProducer, int]:
        """Return a connected producer and how many partitions the topic has; raises KafkaError and OSError."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(self.deadline.total_seconds() * 1000),
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            **self.security.client_arguments(),
        )
        look_only(producer.client)
        try:
            async with asyncio.timeout(CONNECT_DEADLINE.total_seconds()):
                await producer.start()
                return producer, await partitions_of(producer.client, self.topic)
        except BaseException:
            await stop(producer)
            raise

    async def limits(self, producer: AIOKafkaProducer) -> Limits | None:
        """Return what the topic takes, None when we may not know; raises KafkaError."""
        told = await max_message_bytes(producer.client, self.topic)
        return None if told is None else Limits.told(told)

    async def why_away(self, error: BaseException | None) -> str:
        """Return a sentence that tells an operator what to do after `open` has failed."""
        match error:
            case UnknownTopicOrPartitionError():
                return f"there is no topic {self.topic}: run `attemptlog topics`, or mend ATTEMPTLOG_TOPIC"
            case TopicAuthorizationFailedError():
                return f"Kafka does not show us {self.topic}: grant Write and Describe on it"
            case KafkaConnectionError():
                return f"Kafka is away: {await why_refused(self.bootstrap_servers, self.security)}"
            case TimeoutError():
                return "Kafka is away: it answered, and then not in time; are its advertised.listeners right?"
            case _:
                return f"Kafka is away: {type(error).__name__}"


async def stop(producer: AIOKafkaProducer) -> None:
    """Let what is on its way arrive, within STOP_DEADLINE, and close the connections."""
    try:
        await asyncio.wait_for(producer.stop(), STOP_DEADLINE.total_seconds())
    except TimeoutError:  # stop() flushes first, and an idempotent producer tries for ever
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABANDON_DEADLINE.total_seconds()):
                await abandon(producer)
