"""Kafka as FastStream's broker, with a start and a stop that suit a process that must not give up nor hang."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from attemptlog.consumer.batches import pauses
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.event_store.errors import CannotRun, KafkaUnavailable, StoreUnavailable
from attemptlog.event_store.identity import NOTHING_YET, Ledger
from attemptlog.runtime.kafka import KafkaSecurity, why_refused
from attemptlog.runtime.metadata import look_only

logger = logging.getLogger(__name__)

GRACE = 3.0  # seconds for the batch in hand once the process is to end
STOP_DEADLINE = 8.0  # seconds; a process manager kills after 10
POLL_TIMEOUT_MS = 50  # FastStream waits that long again after an empty poll, so it is most of an idle topic's latency
FETCH_WAIT_MS = 100  # a fetch that waits for idle partitions keeps the busy ones of the same broker waiting
PARTITION_FETCH_BYTES = 1024 * 1024  # per partition, so this times the partitions is what waits in memory
FETCH_BYTES = 16 * 1024 * 1024
ANSWER_TIMEOUT_MS = 5_000
LEDGER_DEADLINE = 3.0  # seconds; there are no heartbeats while partitions are being assigned
METADATA_AGE_MS = 5_000  # partitions that are added are read within that time; aiokafka would wait five minutes
FOR_EVER_MS = 2**31 - 1  # aiokafka leaves the group after so long with one batch, and waiting for PostgreSQL has no end


class PatientBroker(KafkaBroker):
    """Starts when `ready` returns, and tries until Kafka answers; whatever else goes wrong is handed to `failed`."""

    def __init__(
        self,
        settings: ConsumerSettings,
        *,
        ready: Callable[[], Awaitable[None]],
        failed: Callable[[Exception], Awaitable[None]],
    ) -> None:
        super().__init__(
            settings.kafka_bootstrap_servers.split(","),
            client_id="attemptlog-consumer",
            consumer_only=True,
            allow_auto_create_topics=False,  # by an admin client; see _connect for the rest
            metadata_max_age_ms=METADATA_AGE_MS,
            apply_types=False,
            graceful_timeout=GRACE,
            security=_security(settings),
            logger=logging.getLogger("attemptlog.consumer.faststream"),
            log_level=logging.DEBUG,  # it has two lines for every batch
        )
        self._ready = ready
        self._failed = failed

    async def start(self) -> None:
        """Return when the consumer has joined its group, or when the process is to end."""
        try:
            await self._ready()
            await self._join()
        except Exception as error:  # FastStream would go on serving without consuming
            await self._failed(error)

    async def _connect(self) -> Callable[..., AIOKafkaConsumer]:
        build = await super()._connect()
        self.config.broker_config.builder = partial(_looking, build)
        return self.config.broker_config.builder

    async def _join(self) -> None:
        for pause in pauses():
            try:
                await super().start()
            except KafkaError as error:
                logger.warning("cannot join the group yet", extra={"action": "kafka_away", "error": repr(error)})
                await super().stop()
            else:
                return
            await asyncio.sleep(pause)

    async def stop(self, *exc_info: Any) -> None:
        """Finish the batch in hand and leave the group, within STOP_DEADLINE."""
        try:
            await asyncio.wait_for(super().stop(*exc_info), STOP_DEADLINE)
        except TimeoutError:
            logger.warning("Kafka did not let go in time; it will notice", extra={"action": "stop_cut_short"})


def _looking(build: Callable[..., AIOKafkaConsumer], **arguments: Any) -> AIOKafkaConsumer:
    consumer = build(**arguments)
    look_only(consumer._client)
    return consumer


def _security(settings: KafkaSecurity) -> BaseSecurity:
    """Return in FastStream's words what it hands on to aiokafka."""
    arguments = settings.client_arguments()
    mechanisms = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    tls = arguments.get("ssl_context")
    if "sasl_mechanism" not in arguments:
        return BaseSecurity(tls)
    login = mechanisms[arguments["sasl_mechanism"]]
    return login(arguments["sasl_plain_username"], arguments["sasl_plain_password"], tls)


class ResumeAtLedger(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Starts every partition that is assigned where the ledger stands, whatever offset Kafka remembers."""

    def __init__(
        self,
        ledger: Callable[[], Awaitable[Ledger]],
        check: Callable[[Any, Ledger, set[int]], Awaitable[None]],
        failed: Callable[[Exception], Awaitable[None]],
        consumer: Callable[[], Any],
    ) -> None:
        self._ledger = ledger
        self._check = check
        self._failed = failed
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Do nothing: a batch in hand is stored or skipped, whoever owns its partitions by then."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Seek; without PostgreSQL leave it at Kafka's offsets, the store notices when they are ahead.

        A log that is not the ledger's is handed to `failed`: aiokafka would log what is raised here, and go on.
        """
        try:
            async with asyncio.timeout(LEDGER_DEADLINE):
                ledger = await self._ledger()
        except (StoreUnavailable, TimeoutError) as error:
            logger.warning("resuming at Kafka's offsets", extra={"action": "ledger_unread", "error": repr(error)})
            return
        for partition in assigned:
            with contextlib.suppress(IllegalStateError):  # assigned anew meanwhile, which brings us here again
                self._consumer().seek(partition, ledger.get(partition.partition, NOTHING_YET).next_offset)
        await self._check_marks(ledger, {partition.partition for partition in assigned})

    async def _check_marks(self, ledger: Ledger, partitions: set[int]) -> None:
        try:
            async with asyncio.timeout(LEDGER_DEADLINE):
                await self._check(self._consumer(), ledger, partitions)
        except (KafkaError, TimeoutError) as error:  # the next look at Kafka checks them
            logger.debug("Kafka does not answer", extra={"error": repr(error)})
        except CannotRun as error:
            await self._failed(error)


def subscribe(broker: KafkaBroker, settings: ConsumerSettings, listener: ConsumerRebalanceListener) -> BatchSubscriber:
    """Return the subscriber that hands over batches of records as they came."""
    return broker.subscriber(
        settings.topic,
        batch=True,
        group_id=settings.consumer_group,
        group_instance_id=settings.consumer_instance_id,
        session_timeout_ms=int(settings.consumer_session_timeout.total_seconds() * 1000),
        heartbeat_interval_ms=int(settings.consumer_session_timeout.total_seconds() * 1000 / 5),
        max_poll_interval_ms=FOR_EVER_MS,
        auto_offset_reset="earliest",
        max_records=settings.max_batch_records,
        batch_timeout_ms=POLL_TIMEOUT_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        ack_policy=AckPolicy.MANUAL,
        parser=_as_it_came,
        decoder=_raw,
        listener=listener,
    )


async def _as_it_came(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    # FastStream's own parser reads every record's headers, and a header that is not UTF-8 loses it the batch
    return KafkaMessage(records, b"", consumer=FAKE_CONSUMER)


async def _raw(message: KafkaMessage) -> list[ConsumerRecord]:
    """Take the records out of the message, which is part of a cycle: it is there until the garbage collector comes."""
    records, message.raw_message = list(message.raw_message), ()
    return records


@asynccontextmanager
async def connected(settings: ConsumerSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """Lend a consumer that reads nothing, to ask Kafka by; an error of Kafka's inside becomes KafkaUnavailable."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        request_timeout_ms=ANSWER_TIMEOUT_MS,
        enable_auto_commit=False,
        **settings.client_arguments(),
    )
    look_only(consumer._client)
    try:
        await consumer.start()
        await asyncio.sleep(0)  # a task of aiokafka's that has not begun when it is stopped cancels us, too
        yield consumer
    except KafkaConnectionError as error:
        raise KafkaUnavailable(await why_refused(settings.kafka_bootstrap_servers, settings)) from error
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnavailable(repr(error)) from error
    finally:
        await consumer.stop()
