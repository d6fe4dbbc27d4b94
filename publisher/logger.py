"""Best effort for a service: log an event in passing, and let a task of its own bring it to Kafka."""

import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from pydantic import ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from attemptlog.publisher.backlog import Backlog
from attemptlog.publisher.drops import Drops
from attemptlog.publisher.metrics import DropReason, Metrics
from attemptlog.publisher.port import EnvelopeTooLarge, KafkaUnavailable, Publisher
from attemptlog.publisher.traces import traced
from attemptlog.runtime.tracing import TracingSettings, traceparent_of
from attemptlog.schemas import Envelope, EventType, Source, new_event_id
from attemptlog.schemas.codec import ENVELOPE, explain

logger = logging.getLogger(__name__)

MAX_BATCH_EVENTS = 200  # with the largest payloads still under 1 MiB, the least that a publisher is allowed to buffer
MAX_TRIES = 5  # of a batch at which the publisher fails in a way that it does not promise: about a second
RETRY_PAUSE = wait_random_exponential(multiplier=0.1, max=2)  # seconds; full jitter
TELL_EVERY = timedelta(minutes=1)
FAILURE_PAUSE = timedelta(seconds=1)  # before the same batch is taken again after a fault of ours
ABANDON_DEADLINE = timedelta(seconds=1)  # for a publish that is cancelled at the stop to end


class EventLogger:
    """Logs events without getting in the way: use as `async with`, and call `log_event` from anywhere.

    Events wait in a queue of `max_queued`, before it is entered too, and one task publishes them in order. While
    Kafka is away they are tried again for ever; over the bound new ones are dropped. Leaving takes `stop_deadline` at
    most, and what the publisher takes to close. Whatever is dropped is counted by reason and logged once a minute;
    what is in the queue when the process is killed is lost. It belongs to the process that enters it: in one that is
    forked from there events are dropped, and a warning says so; `ThreadedEventLogger` is for those. With `tracing` on,
    or by the environment where that is left out, a record belongs to the trace in which its event was logged.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        max_queued: int = 10_000,
        stop_deadline: timedelta = timedelta(seconds=5),
        metrics: Metrics | None = None,
        tracing: TracingSettings | None = None,
    ) -> None:
        self._publisher = publisher
        self._stop_deadline = stop_deadline.total_seconds()
        self._metrics = metrics or Metrics()
        self._backlog = Backlog(max_queued)
        self._drops = Drops(self._metrics)
        self._metrics.watch(self._backlog, publisher)
        self._traceparent = traceparent_of(tracing or TracingSettings())
        self._home: int | None = None  # the process that delivers
        self._has_warned = False
        self._drainer: asyncio.Task[None]
        self._telling: asyncio.TimerHandle

    async def __aenter__(self) -> Self:
        self.claim()
        await self._publisher.__aenter__()
        self._drainer = asyncio.create_task(self._drain())
        self._tell_drops()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await self._stop()
        finally:
            await self._publisher.__aexit__(*exc_info)

    def claim(self) -> None:
        """Say that this process delivers; until then a warning tells that events wait."""
        self._home = os.getpid()

    def take_no_more(self) -> None:
        """Refuse what is logged from now on, and count it as `closed`."""
        self._backlog.close()

    def log_event(
        self,
        event_type: EventType,
        *,
        session_id: str | UUID,
        user_id: str | UUID,
        question_id: str | UUID | None = None,
        payload: Mapping[str, Any] | None = None,
        seq: int | None = None,
        client_ts: datetime | None = None,
        source: Source = "api",
    ) -> None:
        """Queue one event with an id and a time of now, on whichever thread; return at once and never raise.

        The checks are the consumer's own. An event that cannot be stored as it is, is dropped and counted.
        """
        self._metrics.logged.inc()
        try:
            envelope = _new_envelope(
                event_type=event_type,
                session_id=str(session_id),
                user_id=str(user_id),
                question_id=None if question_id is None else str(question_id),
                payload_json={} if payload is None else dict(payload),
                seq=seq,
                client_ts=None if client_ts is None else client_ts.isoformat(),
                source=source,
            )
            if self._traceparent is not None:
                envelope = traced(envelope, self._traceparent())
            refused = self._backlog.put(envelope) if self._home == os.getpid() else self._put_away_from_home(envelope)
        except Exception as error:  # whatever was given: the request that it was given in goes on
            self._drops.count("invalid", fault=_what_is_wrong(error))
        else:
            if refused:
                self._drops.count(refused)

    def _put_away_from_home(self, envelope: Envelope) -> DropReason | None:
        if self._home is not None:
            self._warn("events are dropped: the event logger was entered in the process that forked this one")
            return "closed"
        self._warn("events wait until the event logger is entered (async with)")
        return self._backlog.put(envelope)

    def _warn(self, what: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s; without an event loop use ThreadedEventLogger", what, extra={"action": "not_entered"})

    async def _drain(self) -> None:
        while batch := await self._backlog.oldest(MAX_BATCH_EVENTS):
            try:
                await self._deliver(batch)
            except Exception:  # a fault of ours: the service goes on, and so do its events
                logger.exception("delivering events failed", extra={"action": "drainer_failed"})
                await asyncio.sleep(FAILURE_PAUSE.total_seconds())

    async def _deliver(self, batch: list[Envelope]) -> None:
        try:
            too_large = await self._publish(batch)
        except Exception:
            self._drops.count("failed", self._backlog.remove(len(batch)))
            logger.exception("a batch was not delivered", extra={"action": "batch_failed", "events": len(batch)})
        else:
            removed = self._backlog.remove(len(batch))
            too_large = min(too_large, removed)
            self._metrics.published.inc(removed - too_large)
            self._drops.count("failed", too_large, fault="larger than the topic's max.message.bytes")

    async def _publish(self, batch: list[Envelope]) -> int:
        """Return once Kafka has the batch, however long it is away; raise what else the publisher raises again.

        What is too large for the topic is left out; the result is how many these are.
        """
        until_kafka_is_there = AsyncRetrying(
            retry=retry_if_exception_type(KafkaUnavailable), wait=RETRY_PAUSE, before_sleep=self._count_retry
        )
        a_few_times = AsyncRetrying(
            stop=stop_after_attempt(MAX_TRIES), wait=RETRY_PAUSE, before_sleep=self._count_retry, reraise=True
        )
        left_out: int = await a_few_times(until_kafka_is_there, self._publish_what_fits, batch)
        return left_out

    async def _publish_what_fits(self, batch: list[Envelope]) -> int:
        try:
            await self._publisher.publish(batch)
        except EnvelopeTooLarge as error:
            await self._publisher.publish([it for it in batch if it.id not in error.ids])
            return len(error.ids)
        return 0

    def _count_retry(self, _: RetryCallState) -> None:
        self._metrics.retries.inc()

    def _tell_drops(self) -> None:
        self._telling = asyncio.get_running_loop().call_later(TELL_EVERY.total_seconds(), self._tell_drops)
        self._drops.tell()

    async def _stop(self) -> None:
        """Take no more, deliver what is queued, and give up the rest at the deadline."""
        self._backlog.close()
        try:
            await asyncio.wait({self._drainer}, timeout=self._stop_deadline)
        finally:
            self._drops.count("undelivered", self._backlog.remove(len(self._backlog)))
            self._telling.cancel()
            self._drops.tell()
            self._drainer.cancel()
            await asyncio.wait({self._drainer}, timeout=ABANDON_DEADLINE.total_seconds())


def _new_envelope(**fields: Any) -> Envelope:
    """Return an envelope with an id and a time of now; raise ValidationError when the consumer would not take it."""
    return ENVELOPE.validate_python({"id": new_event_id(), "event_ts": datetime.now(UTC).isoformat(), **fields})


def _what_is_wrong(error: Exception) -> str:
    """Return a field and what is wrong with it; never a value."""
    return explain(error) if isinstance(error, ValidationError) else type(error).__name__
