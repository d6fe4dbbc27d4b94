"""Kafka as FastStream's broker, with a start and a stop that suit a process that must not give up nor hang.

FastStream keeps the connection, the group and their lifecycle. The records we fetch ourselves, from the consumer of a
subscriber that has no handler: a handler's errors, and Kafka's, FastStream would log, and go on with the next batch.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaConnectionError, KafkaError
from faststream import AckPolicy
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from attemptlog.consumer.errors import TopicUnavailable
from attemptlog.consumer.faststream_private import LookingBroker
from attemptlog.consumer.pauses import pauses
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.runtime.aiokafka_private import client_of, look_only
from attemptlog.runtime.kafka import KafkaSecurity, why_refused

logger = logging.getLogger(__name__)

STOP_DEADLINE = 8.0  # seconds; a process manager kills after 10
FETCH_WAIT_MS = 100  # a fetch that waits for idle partitions keeps the busy ones of the same broker waiting
PARTITION_FETCH_BYTES = 768 * 1024  # of a partition; an answer with all of them is there three times while it is read
FETCH_BYTES = 16 * 1024 * 1024
ANSWER_TIMEOUT_MS = 5_000
METADATA_AGE_MS = 5_000  # partitions that are added are read within that time; aiokafka would wait five minutes
FOR_EVER_MS = 2**31 - 1  # aiokafka leaves the group after so long with one batch, and waiting for PostgreSQL has no end


class PatientBroker(LookingBroker):
    """Joins the group when `ready` returns, and tries until Kafka answers; then has `consume` do the rest.

    `consume` is given the consumer, and returns when the process is to end; it raises nothing. Whatever goes wrong
    before is handed to `failed`.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        *,
        listener: ConsumerRebalanceListener,
        ready: Callable[[], Awaitable[None]],
        consume: Callable[[AIOKafkaConsumer], Coroutine[Any, Any, None]],
        failed: Callable[[Exception], Awaitable[None]],
    ) -> None:
        super().__init__(
            settings.kafka_bootstrap_servers.split(","),
            client_id="attemptlog-consumer",
            consumer_only=True,
            allow_auto_create_topics=False,  # by an admin client; see LookingBroker for the rest
            metadata_max_age_ms=METADATA_AGE_MS,
            apply_types=False,
            security=_security(settings),
            logger=logging.getLogger("attemptlog.consumer.faststream"),
            log_level=logging.DEBUG,
        )
        self._subscriber = self.subscriber(
            settings.topic,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            listener=listener,
            **_membership(settings),
        )
        self._ready = ready
        self._consume = consume
        self._failed = failed
        self._consuming: asyncio.Task[None] | None = None

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The consumer while it is a member of the group, and while it joins."""
        return self._subscriber.consumer

    async def start(self) -> None:
        """Return when the consumer has joined its group, or when the process is to end."""
        try:
            await self._ready()
            if (consumer := await self._join()) is not None:
                self._consuming = asyncio.create_task(self._consume(consumer))
        except Exception as error:  # FastStream would go on serving without consuming
            await self._failed(error)

    async def _join(self) -> AIOKafkaConsumer | None:
        """Return the consumer once it has joined, None when it was stopped meanwhile."""
        waits = pauses()
        while True:
            try:
                await super().start()
                return self.consumer
            except KafkaError as error:
                logger.warning("cannot join the group yet", extra={"action": "kafka_away", "error": repr(error)})
                await super().stop()
            await asyncio.sleep(next(waits))

    async def stop(self, *exc_info: Any) -> None:
        """Return when `consume` has, and the group is left, or after STOP_DEADLINE."""
        try:
            async with asyncio.timeout(STOP_DEADLINE):
                if self._consuming is not None:
                    await self._consuming
                await super().stop(*exc_info)
        except TimeoutError:
            logger.warning("Kafka did not let go in time; it will notice", extra={"action": "stop_cut_short"})


def _security(settings: KafkaSecurity) -> BaseSecurity:
    """Return in FastStream's words what it hands on to aiokafka."""
    arguments = settings.client_arguments()
    mechanisms = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    tls = arguments.get("ssl_context")
    if "sasl_mechanism" not in arguments:
        return BaseSecurity(tls)
    login = mechanisms[arguments["sasl_mechanism"]]
    return login(arguments["sasl_plain_username"], arguments["sasl_plain_password"], tls)


def _membership(settings: ConsumerSettings) -> dict[str, Any]:
    session_timeout_ms = int(settings.consumer_session_timeout.total_seconds() * 1000)
    return {
        "group_id": settings.consumer_group,
        "group_instance_id": settings.consumer_instance_id,
        "session_timeout_ms": session_timeout_ms,
        "heartbeat_interval_ms": session_timeout_ms // 5,
        "max_poll_interval_ms": FOR_EVER_MS,
    }


@asynccontextmanager
async def connected(settings: ConsumerSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """Lend a consumer that reads nothing, to ask Kafka by; an error of Kafka's inside becomes TopicUnavailable."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        request_timeout_ms=ANSWER_TIMEOUT_MS,
        enable_auto_commit=False,
        **settings.client_arguments(),
    )
    look_only(client_of(consumer))
    try:
        await consumer.start()
        await asyncio.sleep(0)  # a task of aiokafka's that has not begun when it is stopped cancels us, too
        yield consumer
    except KafkaConnectionError as error:
        raise TopicUnavailable(await why_refused(settings.kafka_bootstrap_servers, settings)) from error
    except (KafkaError, TimeoutError) as error:
        raise TopicUnavailable(repr(error)) from error
    finally:
        await consumer.stop()
