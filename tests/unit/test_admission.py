"""What of a batch travels with its events, and what pages say they dropped."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import Counter

from attemptlog.ingest_api.admission import admit, named_sessions
from attemptlog.ingest_api.batch import Refused
from attemptlog.ingest_api.drops import PageDrops
from attemptlog.ingest_api.parsing import parse
from attemptlog.ingest_api.problems import BadBody
from attemptlog.ingest_api.sessions import Session
from attemptlog.schemas import PAGE_DROP_REASONS, Envelope, PageDropReason
from tests.unit.test_batch import UUID, event

USER, STREAM, OTHER_SESSION = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 4))
NOW = datetime(2026, 3, 2, 9, 14, 6, tzinfo=UTC)


def admitted(*events: Any, **told: Any) -> list[Envelope]:
    batch = parse(json.dumps({"events": events} | told).encode())
    return admit(batch, USER, {UUID: Session(USER, None), OTHER_SESSION: None}, NOW).envelopes


def test_a_stream_and_its_clock_travel_with_every_event() -> None:
    taken = admitted(event(), event(seq=2), stream_id=STREAM.upper(), sent_at="2026-03-02T10:14:05.5+01:00")
    assert {it.stream_id for it in taken} == {STREAM}
    assert {it.sent_at for it in taken} == {NOW - timedelta(seconds=0.5)}


def test_what_was_dropped_travels_with_the_first_event_that_is_taken() -> None:
    refused = event(session_id=OTHER_SESSION)
    taken = admitted(refused, event(seq=-1), event(seq=2), event(seq=3), stream_id=STREAM, dropped={"invalid": 1})
    assert [(it.seq, it.dropped) for it in taken] == [(2, {"invalid": 1}), (3, None)]


def test_what_is_no_event_keeps_the_reason_that_parsing_found_and_the_session_it_names() -> None:
    named = "01890A5D-AC96-774B-BCCE-B302099A8058"
    batch = parse(json.dumps({"events": [event(), event(seq=-1, session_id=named), 7, {"session_id": "x"}]}).encode())
    none = [it for it in batch.events if isinstance(it, Refused)]
    admission = admit(batch, USER, {UUID: Session(USER, None)}, NOW)
    assert [it.index for it in admission.rejections] == [1, 2, 3]
    assert all(kept is it.rejection for kept, it in zip(admission.rejections, none, strict=True))
    assert named_sessions(batch, admission.rejections) == {named.lower()}


@pytest.mark.parametrize("told", [{}, {"stream_id": None, "sent_at": None, "dropped": None}, {"dropped": {}}])
def test_a_client_that_tells_nothing_is_taken_as_ever(told: dict[str, Any]) -> None:
    [taken] = admitted(event(), **told)
    assert (taken.stream_id, taken.sent_at, taken.dropped) == (None, None, None)


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"stream_id": "tab 1"}, "stream_id"),
        ({"stream_id": 7}, "stream_id"),
        ({"sent_at": "2026-03-02T09:14:05"}, "sent_at"),
        ({"sent_at": 1_772_442_845}, "sent_at"),
        ({"dropped": {"bored": 1}}, "dropped"),
        ({"dropped": {"invalid": -1}}, "dropped"),
        ({"dropped": {"invalid": 2**31}}, "dropped"),
        ({"dropped": {"invalid": 1.5}}, "dropped"),
        ({"dropped": {"invalid": True}}, "dropped"),
        ({"dropped": {"invalid": None}}, "dropped"),
        ({"dropped": ["invalid"]}, "dropped"),
        ({"device_id": STREAM}, "device_id"),
    ],
)
def test_what_a_batch_tells_wrongly_refuses_it_whole_and_is_named(told: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBody, match=field):
        admitted(event(), **told)


@pytest.fixture
def counter() -> Counter:
    return Counter("dropped", "Events.", ["reason"], registry=None)


def value(counter: Counter, reason: str) -> float:
    [metric] = counter.labels(reason).collect()
    return metric.samples[0].value


def test_what_is_told_again_is_counted_once_and_what_is_added_too(counter: Counter) -> None:
    drops = PageDrops(counter)
    told: list[dict[PageDropReason, int]] = [
        {"invalid": 2},
        {"invalid": 2},
        {"invalid": 5, "closed": 1},
        {"invalid": 3},
    ]
    for dropped in told:
        drops.count((UUID, STREAM), dropped)
    drops.count((UUID, None), {"invalid": 1})
    drops.count((OTHER_SESSION, STREAM), {"invalid": 1})
    assert (value(counter, "invalid"), value(counter, "closed")) == (7, 1)


def test_no_more_streams_are_remembered_than_there_is_room_for(counter: Counter) -> None:
    drops = PageDrops(counter, max_streams=2)
    for number in range(10):
        drops.count((UUID, str(number)), dict.fromkeys(PAGE_DROP_REASONS, 1))
    assert drops.streams == 2
    assert value(counter, "expired") == 10
