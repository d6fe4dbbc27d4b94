"""A refusal never rests on an answer that may be old."""

import json
from collections.abc import Collection, Mapping

import pytest

from attemptlog.ingest_api.batch import Batch, parse
from attemptlog.ingest_api.intake import Intake
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.problems import NothingAllowed
from attemptlog.ingest_api.refusals import Refusals
from attemptlog.ingest_api.sessions import MemorySessions, Session
from attemptlog.publisher import MemoryPublisher
from attemptlog.runtime.rate import TokenBuckets
from attemptlog.runtime.tokens import Caller
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
    return Intake(publisher, sessions, TokenBuckets(50, 50), metrics, Refusals())


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
