"""Records take the trace of their caller along, in a header; and none of it when tracing is off."""

from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from attemptlog.publisher import EventLogger, MemoryPublisher, ThreadedEventLogger
from attemptlog.publisher.limits import Limits
from attemptlog.runtime.tracing import TracingSettings
from attemptlog.schemas import Envelope, encode
from tests.support.consumer import envelope
from tests.support.http import Exam
from tests.support.spans import current_span, traceparent
from tests.support.traced import Taking, connected, headers_in, taking, untouched

EXAM = Exam()
OFF, ON = TracingSettings(tracing="off"), TracingSettings(tracing="on")


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Taking:
    return taking(monkeypatch)


@pytest.mark.parametrize("given", [OFF, None])
async def test_off_records_are_byte_for_byte_as_without_the_feature(
    producer: Taking, given: TracingSettings | None
) -> None:
    envelopes = [envelope(Exam() if seq % 3 else EXAM, seq) for seq in range(20)]
    with current_span():
        await connected(producer, given).publish(envelopes)
    assert producer.batches == [untouched(envelopes)]


@pytest.mark.parametrize("within", [nullcontext, partial(current_span, is_sampled=False)])
async def test_on_records_of_no_sampled_span_are_the_same(producer: Taking, within: Any) -> None:
    envelopes = [envelope(EXAM, seq) for seq in range(20)]
    with within():
        await connected(producer, ON).publish(envelopes)
    assert producer.batches == [untouched(envelopes)]


async def test_on_every_record_has_the_trace_of_the_current_span_and_the_value_it_had(producer: Taking) -> None:
    envelopes = [envelope(EXAM, seq) for seq in range(3)]
    with current_span():
        await connected(producer, ON).publish(envelopes)
    [batch] = producer.batches
    assert headers_in(batch) == [{"traceparent": traceparent().encode()}] * 3
    assert all(encode(it) in batch for it in envelopes)


async def test_so_has_the_one_that_a_full_batch_did_not_take(producer: Taking) -> None:
    with current_span():
        await connected(producer, ON, Limits(batch_bytes=800)).publish([envelope(EXAM, seq) for seq in range(3)])
    headers = [headers_in(batch) for batch in producer.batches]
    assert headers == [[{"traceparent": traceparent().encode()}]] * 3


async def test_where_a_topic_takes_only_small_records_they_have_no_header(producer: Taking) -> None:
    it = envelope(EXAM)
    takes = len(untouched([it]))
    with current_span():
        await connected(producer, ON, Limits(takes, takes)).publish([it])
    assert producer.batches == [untouched([it])]


async def test_an_event_that_is_logged_belongs_to_the_trace_of_its_caller(producer: Taking) -> None:
    publisher = MemoryPublisher()
    with current_span(trace_id=7):  # which is long over when events are published
        events = EventLogger(publisher, tracing=ON)
        async with events:
            for number in (1, 2, None, 2):
                with nullcontext() if number is None else current_span(number):
                    events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
            with current_span(3, is_sampled=False):
                events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
    assert len(publisher.envelopes) == 5

    await connected(producer, ON).publish(publisher.envelopes)

    traces = [it.get("traceparent", b"").decode() for it in headers_in(producer.batches[0])]
    assert traces == [*map(traceparent, (1, 2, 7, 2)), ""]


def test_the_thread_that_publishes_has_no_part_in_that() -> None:
    publisher = MemoryPublisher()
    events = ThreadedEventLogger(lambda: publisher)
    events._events = EventLogger(publisher, tracing=ON)
    with current_span():
        events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
    events.close()
    assert [getattr(it, "traceparent", None) for it in publisher.envelopes] == [traceparent().encode()]


async def test_off_an_event_that_is_logged_is_an_envelope_and_no_more() -> None:
    publisher = MemoryPublisher()
    with current_span():
        async with EventLogger(publisher) as events:
            events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
    assert [type(it) for it in publisher.envelopes] == [Envelope]
