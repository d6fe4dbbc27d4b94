"""The way of a batch through the gateway: rate, ownership, Kafka, reply."""

import time
from collections.abc import Awaitable, Callable, Sequence, Set
from datetime import UTC, datetime

from attemptlog.ingest_api.admission import Admission, admit, named_sessions, session_ids, without
from attemptlog.ingest_api.batch import Batch
from attemptlog.ingest_api.drops import PageDrops
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.problems import (
    Broken,
    EveryEventInvalid,
    NothingAllowed,
    Problem,
    TooManyEvents,
    Unavailable,
    reply_of,
)
from attemptlog.ingest_api.refusals import Refusals
from attemptlog.ingest_api.sessions import SessionDirectory
from attemptlog.publisher import EnvelopeTooLarge, KafkaUnavailable
from attemptlog.runtime.rate import TokenBuckets
from attemptlog.runtime.tokens import Caller
from attemptlog.schemas import Envelope, IngestReply

Publish = Callable[[Sequence[Envelope]], Awaitable[None]]  # see publisher.port.Publisher

KAFKA_RETRY_AFTER = 2.0  # seconds: a broker's restart or a new leader takes about that


class Intake:
    """Takes batches; holds no state of its own but what pages said they dropped."""

    def __init__(
        self,
        publish: Publish,
        sessions: SessionDirectory,
        buckets: TokenBuckets,
        metrics: Metrics,
        refusals: Refusals,
    ) -> None:
        self._publish_all = publish
        self._sessions = sessions
        self._buckets = buckets
        self._metrics = metrics
        self._refusals = refusals
        self._drops = PageDrops(metrics.dropped_by_pages)
        metrics.dropping_streams.set_function(lambda: self._drops.streams)

    async def take(self, batch: Batch, caller: Caller) -> IngestReply:
        """Return when every event that is taken is durable in Kafka; raise a Problem when none is.

        Each event of the batch is counted once: as accepted, rejected or refused.
        """
        self._metrics.batch_events.observe(len(batch.events))
        try:
            return await self._take(batch, caller)
        except (EveryEventInvalid, NothingAllowed):
            raise  # its events are rejected, each with its reason
        except Exception as error:
            code = error.code if isinstance(error, Problem) else Broken.code
            self._metrics.refused_whole.labels(code).inc(len(batch.events))
            raise

    async def _take(self, batch: Batch, caller: Caller) -> IngestReply:
        self._keep_rate(batch, caller)
        admission, unchecked = await self._decide(batch, caller)
        try:
            await self._publish(admission, batch, caller)
        except EnvelopeTooLarge as error:
            admission = without(admission, error.ids)
            await self._publish(admission, batch, caller)
        self._count(admission)
        if unchecked:
            self._metrics.unchecked.inc(sum(it.session_id in unchecked for it in admission.envelopes))
        if admission.rejections:
            self._note("some_events", admission, batch, caller)
        return reply_of(len(admission.envelopes), admission.rejections)

    def _keep_rate(self, batch: Batch, caller: Caller) -> None:
        wait = self._buckets.wait_before(caller.user_id, len(batch.events), time.monotonic())
        if wait:
            self._refusals.note(TooManyEvents.code, caller.user_id, sessions=session_ids(batch))
            raise TooManyEvents(
                "over this user's rate; send the same batch again later", reply=reply_of(0, []), retry_after=wait
            )

    async def _decide(self, batch: Batch, caller: Caller) -> tuple[Admission, Set[str]]:
        """Decide, and return what was decided and the sessions that could not be looked up."""
        asked, received_at = session_ids(batch), datetime.now(UTC)
        sessions = await self._sessions.find(asked, caller.user_id)
        admission = admit(batch, caller.user_id, sessions, received_at)
        if doubtful := admission.sessions_without_a_question(batch):
            known = {id_: session for id_, session in sessions.items() if id_ not in doubtful}
            sessions = known | dict(await self._sessions.find_anew(doubtful))
            admission = admit(batch, caller.user_id, sessions, received_at)
        return admission, asked - sessions.keys()

    async def _publish(self, admission: Admission, batch: Batch, caller: Caller) -> None:
        if not admission.envelopes:
            raise self._refused(admission, batch, caller)
        try:
            await self._publish_all(admission.envelopes)
        except KafkaUnavailable as error:
            raise Unavailable(
                "Kafka is away; send the same batch again later",
                reply=reply_of(0, admission.rejections),
                retry_after=KAFKA_RETRY_AFTER,
            ) from error

    def _refused(self, admission: Admission, batch: Batch, caller: Caller) -> Problem:
        self._count(admission)
        kind: type[Problem] = NothingAllowed if admission.is_forbidden else EveryEventInvalid
        self._note(kind.code, admission, batch, caller)
        what = "no event was accepted" if admission.is_forbidden else "no event is valid"
        return kind(f"{what}; see rejected_reasons_sample", reply=reply_of(0, admission.rejections))

    def _note(self, code: str, admission: Admission, batch: Batch, caller: Caller) -> None:
        sessions = named_sessions(batch, admission.rejections)
        self._refusals.note(code, caller.user_id, sessions=sessions, reasons=[it.code for it in admission.rejections])

    def _count(self, admission: Admission) -> None:
        self._metrics.accepted.inc(len(admission.envelopes))
        for rejection in admission.rejections:
            self._metrics.rejected.labels(rejection.code).inc()
        for first in admission.envelopes[:1]:
            if first.dropped:
                self._drops.count((first.session_id, first.stream_id), first.dropped)
