"""A refusal never rests on an answer that may be old, and each event of a batch is counted once."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import pytest

from attemptlog.ingest_api.batch import Batch
from attemptlog.ingest_api.intake import Intake
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.parsing import parse
from attemptlog.ingest_api.problems import REFUSED_WHOLE, NothingAllowed, Problem, TooManyEvents, Unavailable
from attemptlog.ingest_api.refusals import Refusals
from attemptlog.ingest_api.sessions import MemorySessions, Session
from attemptlog.publisher import EnvelopeTooLarge, KafkaUnavailable, MemoryPublisher
from attemptlog.runtime.rate import TokenBuckets
from attemptlog.runtime.tokens import Caller
from attemptlog.schemas import Envelope
from tests.support.http import Exam

EXAM = Exam()
CALLER = Caller(EXAM.user, 0, 0)


class OldSessions(MemorySessions):
    """Remembers an exam without questions; `sessions` is what PostgreSQL says when it is asked anew."""

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        return {id_: Session(user_id, frozenset()) for id_ in ids}


def batch() -> Batch:
    return parse(json.dumps({"events": [EXAM.event()]}).encode())


def intake(sessions: MemorySessions, publisher: MemoryPublisher, metrics: Metrics) -> Intake:
    return Intake(publisher.publish, sessions, TokenBuckets(50, 50), metrics, Refusals())


async def test_a_question_that_was_added_in_mid_exam_is_accepted() -> None:
    now, publisher = {EXAM.session: Session(EXAM.user, frozenset([EXAM.question]))}, MemoryPublisher()
    reply = await intake(OldSessions(now), publisher, Metrics()).take(batch(), CALLER)
    assert (reply.accepted, len(publisher.envelopes)) == (1, 1)


@pytest.mark.parametrize("now", [{}, {EXAM.session: Session(EXAM.user, frozenset())}], ids=["session", "question"])
async def test_what_postgresql_does_not_know_now_is_refused(now: Mapping[str, Session]) -> None:
    with pytest.raises(NothingAllowed):
        await intake(OldSessions(now), MemoryPublisher(), Metrics()).take(batch(), CALLER)


async def test_where_postgresql_cannot_be_asked_the_consumer_decides() -> None:
    sessions, metrics = OldSessions(), Metrics()
    sessions.is_ready = False
    assert (await intake(sessions, MemoryPublisher(), metrics).take(batch(), CALLER)).accepted == 1
    assert metrics.registry.get_sample_value("attemptlog_ingest_events_unchecked_total") == 1


class Publishing(MemoryPublisher):
    """Raises what it is given, in turn."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self._errors = list(errors)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self._errors:
            raise self._errors.pop(0)
        await super().publish(envelopes)


def events(*good: bool) -> Batch:
    """A batch of as many events, each valid or not."""
    return parse(json.dumps({"events": [EXAM.event(seq=1 if it else -1) for it in good]}).encode())


OWN = MemorySessions({EXAM.session: Session(EXAM.user, None)})
ANOTHERS = MemorySessions({EXAM.session: Session(Exam().user, None)})
ENDS: list[tuple[MemorySessions, MemoryPublisher, Batch, tuple[int, int, int]]] = [
    (OWN, Publishing(), events(True, True, False), (2, 1, 0)),
    (OWN, Publishing(), events(False, False), (0, 2, 0)),
    (ANOTHERS, Publishing(), events(True, False), (0, 2, 0)),
    (OWN, Publishing(KafkaUnavailable("away")), events(True, True, False), (0, 0, 3)),
    (OWN, Publishing(EnvelopeTooLarge(frozenset()), KafkaUnavailable("away")), events(True, False), (0, 0, 2)),
    (OWN, Publishing(ZeroDivisionError()), events(True, False), (0, 0, 2)),
    (OWN, Publishing(), events(*[True] * 50), (50, 0, 0)),
]


def account(metrics: Metrics) -> tuple[float, ...]:
    """Return how many events were accepted, rejected and refused."""
    families = (metrics.accepted, metrics.rejected, metrics.refused_whole)
    return tuple(
        sum(it.value for family in each.collect() for it in family.samples if it.name.endswith("_total"))
        for each in families
    )


@pytest.mark.parametrize(("sessions", "publisher", "batch", "counted"), ENDS)
async def test_every_event_of_a_batch_is_counted_once(
    sessions: MemorySessions, publisher: MemoryPublisher, batch: Batch, counted: tuple[int, ...]
) -> None:
    metrics = Metrics()
    with suppress(Problem, ZeroDivisionError):
        await intake(sessions, publisher, metrics).take(batch, CALLER)
    assert account(metrics) == counted
    assert metrics.registry.get_sample_value("attemptlog_ingest_batch_events_sum") == sum(counted)


async def test_events_over_the_rate_are_counted_as_refused() -> None:
    metrics = Metrics()
    it = intake(OWN, Publishing(), metrics)
    await it.take(events(*[True] * 50), CALLER)
    with pytest.raises(TooManyEvents):
        await it.take(events(*[True] * 49), CALLER)
    assert account(metrics) == (50, 0, 49)


def refused(metrics: Metrics, code: str) -> float | None:
    return metrics.registry.get_sample_value("attemptlog_ingest_events_refused_total", {"code": code})


async def test_refused_events_are_told_by_the_code_of_the_answer() -> None:
    metrics = Metrics()
    with pytest.raises(Unavailable):
        await intake(OWN, Publishing(KafkaUnavailable("away")), metrics).take(events(True), CALLER)
    assert {kind.code: refused(metrics, kind.code) for kind in REFUSED_WHOLE} == {
        "too_many_events": 0,
        "internal_error": 0,
        "unavailable": 1,
    }
