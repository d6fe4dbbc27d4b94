"""What a service may rely on when it logs an event in passing: no wait, no error, and a count of what is given up."""

import asyncio
import logging
import math
import threading
import time
import tracemalloc
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from attemptlog.publisher import EventLogger, KafkaPublisher, KafkaUnavailable, MemoryPublisher
from attemptlog.publisher.logger import ABANDON_DEADLINE
from attemptlog.publisher.metrics import Metrics
from attemptlog.schemas import Envelope, decode, encode
from tests.support.eventually import eventually

SESSION = "01890a5d-ac96-774b-bcce-b302099a8057"
USER = "01890a5d-ac96-774b-bcce-b302099a8099"
QUESTION = "01890a5d-ac96-774b-bcce-b302099a8001"
SHORT = timedelta(milliseconds=50)


class Failing(MemoryPublisher):
    """Raises `errors` one after the other, then publishes; remembers every batch that it was given."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.batches: list[Sequence[Envelope]] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.batches.append(envelopes)
        if self.errors:
            raise self.errors.pop(0)
        await super().publish(envelopes)


class Losing(MemoryPublisher):
    """Publishes the first batch, and then says that it did not: its acknowledgement is lost."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        is_first = not self.envelopes
        await super().publish(envelopes)
        if is_first:
            raise KafkaUnavailable("no acknowledgement")


class Hanging(MemoryPublisher):
    """Never returns while `released` is not set; a `stubborn` one does not let itself be cancelled either."""

    def __init__(self, *, stubborn: bool = False) -> None:
        super().__init__()
        self.released = asyncio.Event()
        self.is_stubborn = stubborn
        self.is_publishing = False

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.is_publishing = True
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                if not self.is_stubborn:
                    raise
        await super().publish(envelopes)


def log(events: EventLogger, seq: int | None = None, **fields: Any) -> None:
    given: dict[str, Any] = {"session_id": SESSION, "user_id": USER, "seq": seq}
    events.log_event(fields.pop("event_type", "PAUSE_BLUR"), **given | fields)


@dataclass
class Counts:
    """An event logger's metrics, as numbers."""

    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(f"attemptlog_logger_{name}", labels)
        assert found is not None, name
        return found

    @property
    def dropped(self) -> dict[str, int]:
        reasons = ("invalid", "queue_full", "closed", "failed", "undelivered")
        counts = {reason: int(self.value("events_dropped_total", reason=reason)) for reason in reasons}
        return {reason: count for reason, count in counts.items() if count}

    def assert_accounted(self) -> None:
        gone = self.value("events_published_total") + sum(self.dropped.values())
        assert self.value("events_logged_total") == gone + self.value("queued_events")


@pytest.fixture
def counts() -> Iterator[Counts]:
    """Counts that have to agree in the end, whatever the test did."""
    counts = Counts()
    yield counts
    counts.assert_accounted()


async def test_an_event_is_published_as_it_was_logged(counts: Counts) -> None:
    publisher, before = MemoryPublisher(), datetime.now(UTC)
    client_ts = datetime(2026, 3, 2, 9, 14, 5, tzinfo=UTC)
    async with EventLogger(publisher, metrics=counts.metrics) as events:
        events.log_event(
            "ANSWER_CHANGED",
            session_id=uuid.UUID(SESSION),
            user_id=USER.upper(),
            question_id=QUESTION,
            payload={"pos": 3, "choice": 2, "prev_choice": 1},
            seq=12,
            client_ts=client_ts,
            source="mobile",
        )
        log(events)
    first, second = publisher.envelopes
    assert (first.session_id, first.user_id, first.question_id) == (SESSION, USER, QUESTION)
    assert (first.event_type, first.seq, first.client_ts, first.source) == ("ANSWER_CHANGED", 12, client_ts, "mobile")
    assert first.payload_json == b'{"pos":3,"choice":2,"prev_choice":1}'
    assert before <= first.event_ts <= second.event_ts <= datetime.now(UTC)
    assert (second.question_id, second.seq, second.client_ts, second.source) == (None, None, None, "api")
    assert second.payload_json == b"{}"
    assert counts.value("events_published_total") == 2


async def test_each_event_has_an_id_of_its_own_and_later_ones_sort_later() -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher) as events:
        for seq in range(100):
            log(events, seq)
    ids = [it.id for it in publisher.envelopes]
    assert ids == sorted(set(ids))
    assert {uuid.UUID(id_).version for id_ in ids} == {7}


async def test_the_payload_is_the_one_of_the_call_whatever_becomes_of_it_afterwards() -> None:
    publisher, payload = MemoryPublisher(), {"pos": 1}
    async with EventLogger(publisher) as events:
        log(events, payload=payload)
        payload["pos"] = 2
    assert publisher.envelopes[0].payload_json == b'{"pos":1}'


def circular() -> dict[str, Any]:
    payload: dict[str, Any] = {}
    payload["self"] = payload
    return payload


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no")


INVALID: dict[str, dict[str, Any]] = {
    "unknown type": {"event_type": "LOGIN"},
    "type is a list": {"event_type": ["PAUSE_BLUR"]},
    "session is no UUID": {"session_id": "5"},
    "session is None": {"session_id": None},
    "session is bytes": {"session_id": SESSION.encode()},
    "session cannot be printed": {"session_id": Unprintable()},
    "user is empty": {"user_id": ""},
    "question is no UUID": {"question_id": 17},
    "seq is negative": {"seq": -1},
    "seq is true": {"seq": True},
    "seq is text": {"seq": "12"},
    "seq is too large": {"seq": 2**31},
    "client_ts has no zone": {"client_ts": datetime(2026, 3, 2)},  # noqa: DTZ001
    "client_ts is a number": {"client_ts": 1_700_000_000},
    "unknown source": {"source": "fax"},
    "payload is a list": {"payload": ["pos"]},
    "payload is text": {"payload": "pos"},
    "payload is too large": {"payload": {"text": "x" * 4096}},
    "payload is too large in UTF-8": {"payload": {"text": "é" * 2100}},
    "payload has a NUL": {"payload": {"text": "\0"}},
    "payload has a lone surrogate": {"payload": {"text": "\ud800"}},
    "payload has an infinite number": {"payload": {"a": [math.inf]}},
    "payload has an object": {"payload": {"a": object()}},
    "payload has a key that is no text": {"payload": {1: 1}},
    "payload holds itself": {"payload": circular()},
}


@pytest.mark.parametrize("fields", INVALID.values(), ids=INVALID.keys())
async def test_an_event_that_cannot_be_stored_is_dropped_and_its_neighbours_are_not(
    fields: dict[str, Any], counts: Counts
) -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher, metrics=counts.metrics) as events:
        log(events, 1)
        log(events, **fields)
        log(events, 2)
    assert [it.seq for it in publisher.envelopes] == [1, 2]
    assert counts.dropped == {"invalid": 1}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["event_type", "session_id", "question_id", "seq", "client_ts"]), ANYTHING))
def test_log_event_never_raises(fields: dict[str, Any]) -> None:
    counts = Counts()
    events = EventLogger(MemoryPublisher(), metrics=counts.metrics)
    log(events, **fields)
    log(events, payload=fields)
    counts.assert_accounted()


@given(st.dictionaries(st.text(), ANYTHING))
async def test_what_is_published_is_what_the_consumer_takes(payload: dict[str, Any]) -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher) as events:
        log(events, payload=payload)
    for envelope in publisher.envelopes:
        assert decode(encode(envelope)) == envelope


def test_a_call_costs_microseconds() -> None:
    events, calls = EventLogger(MemoryPublisher()), 2_000
    started = time.process_time()
    for seq in range(calls):
        log(events, seq, payload={"pos": 3, "choice": 2})
    assert time.process_time() - started < 1.0  # 500 µs a call; it is about 15


def test_a_queued_event_takes_less_than_a_kilobyte_or_two() -> None:
    events, calls = EventLogger(MemoryPublisher()), 1_000
    log(events)
    tracemalloc.start()
    try:
        for seq in range(calls):
            log(events, seq, payload={"pos": 3, "choice": 2})
        assert tracemalloc.get_traced_memory()[0] < calls * 2_000  # bytes; it is about 700
    finally:
        tracemalloc.stop()


async def test_a_call_does_not_wait_for_a_publisher_that_hangs(counts: Counts) -> None:
    publisher = Hanging()
    async with EventLogger(publisher, max_queued=10, stop_deadline=SHORT, metrics=counts.metrics) as events:
        log(events, 0)
        await eventually(lambda: publisher.is_publishing)
        for seq in range(1, 30):
            log(events, seq)
        assert counts.value("queued_events") == 10
        assert counts.dropped == {"queue_full": 20}
        counts.assert_accounted()
        publisher.released.set()
        await eventually(lambda: not counts.value("queued_events"))
    assert [it.seq for it in publisher.envelopes] == list(range(10))


async def test_events_logged_before_it_is_entered_are_kept_up_to_the_bound(counts: Counts) -> None:
    publisher = MemoryPublisher()
    events = EventLogger(publisher, max_queued=3, metrics=counts.metrics)
    for seq in range(5):
        log(events, seq)
    async with events:
        await eventually(lambda: publisher.envelopes)
    assert [it.seq for it in publisher.envelopes] == [0, 1, 2]
    assert counts.dropped == {"queue_full": 2}


async def test_events_logged_after_it_is_left_are_dropped(counts: Counts) -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher, metrics=counts.metrics) as events:
        pass
    log(events)
    assert (publisher.envelopes, counts.dropped) == ([], {"closed": 1})


def test_events_logged_when_its_event_loop_is_gone_are_dropped(counts: Counts) -> None:
    loop = asyncio.new_event_loop()
    events = EventLogger(MemoryPublisher(), metrics=counts.metrics)

    async def enter_and_forget() -> None:
        await events.__aenter__()
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    loop.run_until_complete(enter_and_forget())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    log(events)
    assert counts.dropped == {"closed": 1}


async def test_events_of_many_threads_arrive_each_threads_in_order(counts: Counts) -> None:
    publisher, sessions, together = MemoryPublisher(), [str(uuid.uuid4()) for _ in range(4)], threading.Barrier(4)

    def attend(session: str) -> None:
        together.wait()
        for seq in range(500):
            log(events, seq, session_id=session)

    async with EventLogger(publisher, metrics=counts.metrics) as events:
        with ThreadPoolExecutor(len(sessions)) as pool:
            await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, attend, it) for it in sessions))
    for session in sessions:
        assert [it.seq for it in publisher.envelopes if it.session_id == session] == list(range(500))


async def test_an_event_of_another_thread_wakes_an_idle_logger() -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher) as events:
        for seq in range(3):
            await asyncio.to_thread(log, events, seq)
            await eventually(lambda: len(publisher.envelopes) == seq + 1)  # noqa: B023 - awaited in the loop


async def test_while_kafka_is_away_a_batch_is_tried_again_until_it_is_there(counts: Counts) -> None:
    publisher = Failing(*[KafkaUnavailable("away")] * 6)
    async with EventLogger(publisher, metrics=counts.metrics, stop_deadline=timedelta(seconds=60)) as events:
        for seq in range(3):
            log(events, seq)
    first, *others = publisher.batches
    assert [it.seq for it in first] == [0, 1, 2]
    assert all(batch == first for batch in others)
    assert counts.value("retries_total") == 6
    assert counts.value("events_published_total") == 3


async def test_order_is_kept_over_retries() -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher) as events:
        for seq in range(1_000):
            publisher.is_ready = seq % 3 == 0
            log(events, seq)
            if seq % 50 == 0:
                await asyncio.sleep(0)
        publisher.is_ready = True
    assert [it.seq for it in publisher.envelopes] == list(range(1_000))


async def test_a_retry_carries_the_same_ids() -> None:
    publisher = Losing()
    async with EventLogger(publisher) as events:
        log(events, 1)
    first, again = publisher.envelopes
    assert first == again


async def test_another_error_of_the_publisher_is_tried_again_a_few_times(counts: Counts) -> None:
    publisher = Failing(ValueError("a fault"), KafkaUnavailable("away"), ValueError("a fault"))
    async with EventLogger(publisher, metrics=counts.metrics) as events:
        log(events, 1)
    assert len(publisher.envelopes) == 1
    assert counts.value("retries_total") == 3


async def test_a_batch_that_fails_again_and_again_is_dropped_and_the_next_one_is_not(
    counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Failing(*[ValueError("a fault")] * 5)
    async with EventLogger(publisher, metrics=counts.metrics) as events:
        log(events, 1)
        await eventually(lambda: counts.dropped)
        log(events, 2)
    assert [it.seq for it in publisher.envelopes] == [2]
    assert counts.dropped == {"failed": 1}
    assert "a fault" in caplog.text


@contextmanager
def within(limit: timedelta) -> Iterator[None]:
    clock = asyncio.get_running_loop().time
    started = clock()
    yield
    assert clock() - started < limit.total_seconds() + 0.001  # seconds, for the turns of the event loop


async def test_leaving_delivers_what_is_queued(counts: Counts) -> None:
    publisher = MemoryPublisher()
    async with EventLogger(publisher, metrics=counts.metrics) as events:
        for seq in range(5_000):
            log(events, seq)
    assert len(publisher.envelopes) == 5_000
    assert counts.dropped == {}


@pytest.mark.parametrize(
    "publisher",
    [Hanging, lambda: Hanging(stubborn=True), lambda: Failing(*[KafkaUnavailable("away")] * 10_000)],
    ids=["hanging", "hanging and stubborn", "refusing"],
)
async def test_leaving_ends_at_the_deadline_and_the_rest_is_counted(
    publisher: Callable[[], MemoryPublisher], counts: Counts
) -> None:
    it = publisher()
    try:
        with within(SHORT + ABANDON_DEADLINE):
            async with EventLogger(it, metrics=counts.metrics, stop_deadline=SHORT) as events:
                for seq in range(300):
                    log(events, seq)
    finally:
        if isinstance(it, Hanging):
            it.released.set()  # or it would not end
    assert counts.dropped == {"undelivered": 300}
    assert not it.is_ready, "the publisher was not closed"


async def test_what_a_stubborn_publisher_delivers_after_all_is_not_counted_twice(counts: Counts) -> None:
    publisher = Hanging(stubborn=True)
    async with EventLogger(publisher, metrics=counts.metrics, stop_deadline=SHORT) as events:
        log(events)
    publisher.is_ready = True
    publisher.released.set()
    await eventually(lambda: publisher.envelopes)
    assert (counts.dropped, counts.value("events_published_total")) == ({"undelivered": 1}, 0)


async def test_leaving_that_is_cancelled_closes_the_publisher_and_counts_the_rest(counts: Counts) -> None:
    publisher = Hanging()

    async def serve() -> None:
        async with EventLogger(publisher, metrics=counts.metrics) as events:
            log(events)

    serving = asyncio.create_task(serve())
    await eventually(lambda: publisher.is_publishing)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not publisher.is_ready
    assert counts.dropped == {"undelivered": 1}


async def test_it_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with EventLogger(Hanging(), stop_deadline=SHORT) as events:
        log(events)
    assert asyncio.all_tasks() == before


async def test_nothing_listening_where_kafka_should_be_changes_nothing_for_the_caller(counts: Counts) -> None:
    publisher = KafkaPublisher("127.0.0.1:1")
    with within(SHORT + ABANDON_DEADLINE):
        async with EventLogger(publisher, metrics=counts.metrics, stop_deadline=SHORT) as events:
            for seq in range(100):
                log(events, seq)
    assert counts.dropped == {"undelivered": 100}


def told(caplog: pytest.LogCaptureFixture) -> list[Any]:
    lines = [record for record in caplog.records if record.__dict__.get("action") == "events_dropped"]
    assert all(record.levelno == logging.WARNING for record in lines)
    return [record.__dict__["dropped"] for record in lines]


async def test_drops_are_told_in_one_line_by_reason_and_without_payload(caplog: pytest.LogCaptureFixture) -> None:
    async with EventLogger(MemoryPublisher(), max_queued=2) as events:
        for _ in range(5):
            log(events, payload={"secret": "nobody-may-read-this"})
        log(events, payload={"secret": "nobody-may-read-this" * 1_000})
        log(events, session_id="nobody-may-read-this")
    assert told(caplog) == [{"queue_full": 3, "invalid": 2}]
    assert "3 queue_full, 2 invalid" in caplog.text
    assert "session_id: must be a UUID" in caplog.text, "whoever logs it wrongly has to find out how"
    assert "nobody-may-read-this" not in caplog.text


async def test_drops_are_told_once_an_interval_while_the_publisher_hangs(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attemptlog.publisher.logger.TELL_EVERY", SHORT)
    async with EventLogger(Hanging(), max_queued=1, stop_deadline=SHORT) as events:
        for number in range(1, 4):
            for _ in range(number * 10):
                log(events)
            await eventually(lambda: len(told(caplog)) == number)  # noqa: B023 - awaited in the loop
    assert sum(map(Counter, told(caplog)), Counter()) == {"queue_full": 59, "undelivered": 1}
    assert len(told(caplog)) == 4


async def test_nothing_is_told_when_nothing_was_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async with EventLogger(MemoryPublisher()) as events:
        log(events)
    assert caplog.records == []


async def test_its_metrics_can_live_in_the_registry_of_the_service() -> None:
    registry = CollectorRegistry()
    async with EventLogger(MemoryPublisher(), metrics=Metrics(registry)) as events:
        log(events)
        assert registry.get_sample_value("attemptlog_logger_kafka_up") == 1
    assert registry.get_sample_value("attemptlog_logger_kafka_up") == 0
    assert registry.get_sample_value("attemptlog_logger_events_published_total") == 1
