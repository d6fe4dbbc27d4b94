"""The event logger in a thread of its own, and what the other one says where it cannot work."""

import os
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from attemptlog.publisher import EventLogger, MemoryPublisher, ThreadedEventLogger
from attemptlog.publisher.metrics import Metrics
from attemptlog.schemas import Envelope
from tests.support.eventually import PATIENCE
from tests.unit.test_event_logger import SESSION, USER, Failing, Hanging

EVENT: dict[str, Any] = {"session_id": SESSION, "user_id": USER}


def values(registry: CollectorRegistry) -> dict[str, float]:
    """Return what is not 0, by reason where there is one."""
    samples = [it for metric in registry.collect() for it in metric.samples if not it.name.endswith("_created")]
    names = [it.labels.get("reason", it.name.removeprefix("attemptlog_logger_")) for it in samples]
    return {name: it.value for name, it in zip(names, samples, strict=True) if it.value}


class Telling(MemoryPublisher):
    """Sets `has_three` once that many are published."""

    def __init__(self) -> None:
        super().__init__()
        self.has_three = threading.Event()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await super().publish(envelopes)
        if len(self.envelopes) == 3:
            self.has_three.set()


def test_it_publishes_without_an_event_loop_of_the_caller() -> None:
    publisher, registry = Telling(), CollectorRegistry()
    events = ThreadedEventLogger(lambda: publisher, metrics=Metrics(registry))
    for seq in range(3):
        events.log_event("PAUSE_BLUR", seq=seq, payload={"state": "blur"}, **EVENT)
    assert publisher.has_three.wait(PATIENCE)
    assert [it.seq for it in publisher.envelopes] == [0, 1, 2]
    events.close()
    assert values(registry) == {"events_logged_total": 3, "events_published_total": 3}


def test_no_thread_is_there_before_the_first_event_and_none_after_closing() -> None:
    events = ThreadedEventLogger(MemoryPublisher)
    assert "attemptlog events" not in [it.name for it in threading.enumerate()]
    events.log_event("SESSION_CREATED", **EVENT)
    assert "attemptlog events" in [it.name for it in threading.enumerate()]
    events.close()
    assert "attemptlog events" not in [it.name for it in threading.enumerate()]


@pytest.mark.parametrize("has_logged", [True, False])
def test_what_is_logged_after_closing_is_dropped_and_counted(has_logged: bool) -> None:
    registry = CollectorRegistry()
    events = ThreadedEventLogger(MemoryPublisher, metrics=Metrics(registry))
    if has_logged:
        events.log_event("SESSION_CREATED", **EVENT)
    events.close()
    events.close()
    events.log_event("SESSION_CREATED", **EVENT)
    assert values(registry)["closed"] == 1
    assert "queued_events" not in values(registry)


def test_wrong_settings_are_told_when_it_is_made() -> None:
    def wrong() -> MemoryPublisher:
        raise ValueError("mend the settings")

    with pytest.raises(ValueError, match="mend the settings"):
        ThreadedEventLogger(wrong)


def test_logging_never_raises_whatever_it_is_given() -> None:
    registry = CollectorRegistry()
    events = ThreadedEventLogger(MemoryPublisher, metrics=Metrics(registry))
    anything: Any = events.log_event
    anything("NO_SUCH_TYPE", session_id="no id", user_id=None, payload=object())
    assert values(registry)["invalid"] == 1
    events.close()


def test_a_thread_that_cannot_be_started_costs_the_event_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    registry = CollectorRegistry()
    events = ThreadedEventLogger(MemoryPublisher, metrics=Metrics(registry))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    events.log_event("SESSION_CREATED", **EVENT)
    assert values(registry) == {"events_logged_total": 1, "failed": 1, "kafka_up": 1}
    assert "can't start new thread" in caplog.text


def test_the_queue_has_a_bound_and_closing_a_deadline(caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    events = ThreadedEventLogger(
        Hanging, max_queued=10, stop_deadline=timedelta(milliseconds=50), metrics=Metrics(registry)
    )
    for _ in range(15):
        events.log_event("SESSION_CREATED", **EVENT)
    events.close()
    assert values(registry) == {"events_logged_total": 15, "queue_full": 5, "undelivered": 10}
    assert "5 queue_full" in caplog.text
    assert "10 undelivered" in caplog.text


def test_a_publisher_that_fails_now_and_then_is_tried_again() -> None:
    publisher = Failing(OSError("a moment"))
    events = ThreadedEventLogger(lambda: publisher)
    events.log_event("SESSION_CREATED", **EVENT)
    events.close()
    assert len(publisher.envelopes) == 1


def test_an_event_logger_that_nobody_entered_says_once_that_events_wait(caplog: pytest.LogCaptureFixture) -> None:
    events = EventLogger(MemoryPublisher())
    for _ in range(3):
        events.log_event("SESSION_CREATED", **EVENT)
    [message] = caplog.messages
    assert message.startswith("events wait until the event logger is entered")
    assert "ThreadedEventLogger" in message


async def test_an_event_logger_drops_and_says_so_in_a_process_forked_from_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    async with EventLogger(MemoryPublisher(), metrics=Metrics(registry)) as events:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        for _ in range(3):
            events.log_event("SESSION_CREATED", **EVENT)
        monkeypatch.undo()
    assert values(registry) == {"events_logged_total": 3, "closed": 3}
    assert "events are dropped: the event logger was entered in the process that forked this one" in caplog.text
