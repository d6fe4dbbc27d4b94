"""A class of the project's own simulator, or a recorded one, as what each part of the pipeline takes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import TypeVar

import orjson

from attemptlog.schemas import Envelope, new_event_id
from attemptlog.simulation.browser import PATH
from attemptlog.simulation.candidate import roster_of, sittings_of
from attemptlog.simulation.recorded import RecordedLog
from attemptlog.simulation.sitting import EXAM_STARTS_AT, Event, Roster, Sitting
from attemptlog.simulation.tokens import TokenMint

SECRET = "a secret of the benchmark, 32 bytes or more"  # noqa: S105
SENT_TWICE = 0.03  # share of the events; the second comes a while after the first, as after a timeout
SENT_AGAIN_AFTER = 0.01  # of the exam
WAITS = timedelta(seconds=2)  # from an event to the request that brings it
BAD_EVENT = {"event_type": "NO_SUCH_TYPE"}

T = TypeVar("T")
Known = tuple[str, str, int]  # session, stream, seq


@dataclass(frozen=True, slots=True)
class Request:
    """A whole HTTP request with events of one session; `last` is what its last one is known by."""

    raw: bytes
    session_id: str
    last: Known


@dataclass(frozen=True)
class School:
    """Who sits, and what they do."""

    seed: str
    roster: Roster
    sittings: list[Sitting]

    @staticmethod
    def made_up(candidates: int, seed: str) -> "School":
        """Return a simulated class: 165 events a candidate."""
        return School(seed, roster_of(candidates, seed), list(sittings_of(candidates, seed)))

    @staticmethod
    def recorded(path: Path, seed: str) -> "School":
        """Return the class of a recorded log; another seed gives everybody other ids."""
        log = RecordedLog(path, seed)
        return School(seed, log.roster(), list(log.sittings()))

    def part(self, share: float) -> "School":
        """Return the class with only a share of its candidates."""
        some = dict(islice(self.roster.sessions.items(), math.ceil(share * len(self.roster.sessions))))
        sittings = [sitting for sitting in self.sittings if sitting.session_id in some]
        return School(self.seed, replace(self.roster, sessions=some), sittings)

    @cached_property
    def size(self) -> int:
        """How many events there are, each counted once."""
        return sum(len(sitting.events) for sitting in self.sittings)

    @property
    def session_ids(self) -> list[str]:
        return list(self.roster.sessions)

    def envelopes(self) -> Iterator[Envelope]:
        """Yield the events as the gateway publishes them, sessions interleaved, SENT_TWICE of them under two ids."""
        order = interleaved([sitting.events for sitting in self.sittings], self.seed)
        return (_envelope(self.sittings[number], event) for number, event in order)

    def requests(self, per_request: int, at_most: int, *, with_bad_event: bool = False) -> list[Request]:
        """Return POSTs of exactly `per_request` events, sessions interleaved; a stream's rest is left out."""
        chunks = [list(_chunks(sitting.events, per_request)) for sitting in self.sittings]
        order = islice(interleaved(chunks, self.seed, twice=0), at_most)
        return [_request(self.sittings[number], events, with_bad_event=with_bad_event) for number, events in order]

    def first_requests(self) -> list[Request]:
        """Return a POST of one event for each session."""
        return [_request(sitting, sitting.events[:1]) for sitting in self.sittings]


def interleaved(series: Sequence[Sequence[T]], seed: str, twice: float = SENT_TWICE) -> Iterator[tuple[int, T]]:
    """Yield items with their series' number, every series at an even pace from the beginning to the end.

    A share of the items comes twice.
    """
    random = Random(seed)  # noqa: S311
    order = []
    for number, items in enumerate(series):
        for index in range(len(items)):
            place = (index + random.random()) / len(items)
            order.append((place, number, index))
            if random.random() < twice:
                order.append((place + SENT_AGAIN_AFTER, number, index))
    order.sort()
    return ((number, series[number][index]) for _, number, index in order)


def _chunks(events: Sequence[Event], length: int) -> Iterator[Sequence[Event]]:
    for _, stream in groupby(events, key=attrgetter("stream_id")):
        of_stream = list(stream)
        for start in range(0, len(of_stream) - length + 1, length):
            yield of_stream[start : start + length]


def _client_ts(event: Event) -> datetime:
    return EXAM_STARTS_AT + timedelta(milliseconds=event.offset_ms)


def _stream(sitting: Sitting, event: Event) -> str:
    """Return an event's stream, or one for all those without: a reference loses columns that are not in each record."""
    return event.stream_id or sitting.session_id


def _sent_at(event: Event) -> datetime:
    return _client_ts(event) + WAITS


def _envelope(sitting: Sitting, event: Event) -> Envelope:
    return Envelope(
        id=new_event_id(),
        event_type=event.event_type,
        event_ts=datetime.now(UTC),
        client_ts=_client_ts(event),
        seq=event.seq,
        session_id=sitting.session_id,
        user_id=sitting.user_id,
        question_id=event.question_id,
        source=sitting.source,
        payload_json=event.payload,
        stream_id=_stream(sitting, event),
        sent_at=_sent_at(event),
    )


@cache  # a page keeps the one that it was given
def _token(user_id: str) -> str:
    return TokenMint(SECRET).mint(user_id, datetime.now(UTC))


def _request(sitting: Sitting, events: Sequence[Event], *, with_bad_event: bool = False) -> Request:
    body_events = [
        {
            "event_type": event.event_type,
            "session_id": sitting.session_id,
            "client_ts": _client_ts(event),
            "seq": event.seq,
            "question_id": event.question_id,
            "payload": orjson.Fragment(event.payload),
        }
        for event in events
    ]
    if with_bad_event:
        body_events[len(body_events) // 2] |= BAD_EVENT
    last = events[-1]
    told = {"stream_id": _stream(sitting, last), "sent_at": _sent_at(last)}
    body = orjson.dumps({"source": sitting.source} | told | {"events": body_events})
    token = _token(sitting.user_id)
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
    raw = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    return Request(raw, sitting.session_id, (sitting.session_id, _stream(sitting, last), last.seq))
