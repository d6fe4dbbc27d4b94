"""Batches as a browser's client sends them, and what goes wrong with some on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from attemptlog.schemas import MAX_EVENTS_PER_BATCH
from attemptlog.simulation.sitting import EXAM_STARTS_AT, Event, Sitting, Stream, elapsed_ms

FLUSH_AFTER_MS = 5_000  # a browser's client holds an event no longer than this
SWAPPED = 0.1  # share of a session's batches that change places with the next one


@dataclass(slots=True, frozen=True)
class Batch:
    """Events of one POST; `due` is the time since the session's start at which a browser would send it.

    `clock` is what the browser's clock says then.
    """

    session_id: str
    user_id: str
    seqs: list[int]
    body: bytes
    due: timedelta
    clock: datetime = EXAM_STARTS_AT
    stream_id: str | None = None

    @property
    def stream(self) -> Stream:
        """Return what the numbers count within."""
        return self.session_id, self.stream_id

    def request(self, after: float) -> bytes:
        """Return the body of the POST that is made so many seconds after it was due; an old page says no time."""
        if self.stream_id is None:
            return self.body
        sent_at = self.clock + timedelta(seconds=after)
        return b'{"sent_at":"%b",%b' % (sent_at.isoformat().encode(), self.body[1:])


@dataclass(slots=True, frozen=True)
class Mishaps:
    """What happens to batches: the share of POSTs made twice, and whether some overtake others."""

    duplicates: float = 0.0
    is_out_of_order: bool = False
    seed: str = ""


def batches_of(sitting: Sitting, mishaps: Mishaps, *, is_paced: bool) -> Iterator[Batch]:
    """Yield the POSTs of a sitting: by time and count when it is paced, as full as allowed when it is not.

    One that is not paced says that it sends at its end, like a page that was without network until then: what happened
    in an hour cannot have been sent within a second of real time as it happened.
    """
    random = Random(f"{mishaps.seed}:{sitting.session_id}")  # noqa: S311
    cut = _cut(sitting.events, FLUSH_AFTER_MS if is_paced else None)
    if not is_paced:
        end = sitting.events[-1].offset_ms
        cut = ((events, due, end - events[-1].offset_ms) for events, due, _ in cut)
    batches = [_batch(sitting, *each) for each in cut]
    if mishaps.is_out_of_order:
        batches = _swapped(batches, random)
    for batch in batches:
        yield batch
        if random.random() < mishaps.duplicates:
            yield batch


def _cut(events: list[Event], flush_after_ms: int | None) -> Iterator[tuple[list[Event], int, int]]:
    """Yield the events of each batch with the milliseconds after which it is full, was held long enough, or is left.

    And with the milliseconds that its last event then has waited. A batch holds events of one stream.
    """
    batch: list[Event] = []
    opened_ms = last_ms = 0
    for event, at_ms in zip(events, elapsed_ms(events), strict=True):
        if batch and flush_after_ms is not None and at_ms - opened_ms >= flush_after_ms:
            yield batch, opened_ms + flush_after_ms, opened_ms + flush_after_ms - last_ms
            batch = []
        if batch and batch[0].stream_id != event.stream_id:
            yield batch, last_ms, 0
            batch = []
        if not batch:
            opened_ms = at_ms
        batch.append(event)
        last_ms = at_ms
        if len(batch) == MAX_EVENTS_PER_BATCH:
            yield batch, at_ms, 0
            batch = []
    if batch:
        yield batch, last_ms, 0


def _batch(sitting: Sitting, events: list[Event], due_ms: int, waited_ms: int) -> Batch:
    last = events[-1]
    told = {"stream_id": last.stream_id} if last.stream_id else {}
    sent = [_event_in(sitting.session_id, event) for event in events]
    return Batch(
        session_id=sitting.session_id,
        user_id=sitting.user_id,
        seqs=[event.seq for event in events],
        body=orjson.dumps({"source": sitting.source} | told | {"events": sent}),
        due=timedelta(milliseconds=due_ms),
        clock=EXAM_STARTS_AT + timedelta(milliseconds=last.offset_ms + waited_ms),
        stream_id=last.stream_id,
    )


def _event_in(session_id: str, event: Event) -> dict[str, Any]:
    return {
        "event_type": event.event_type,
        "session_id": session_id,
        "client_ts": EXAM_STARTS_AT + timedelta(milliseconds=event.offset_ms),
        "seq": event.seq,
        "question_id": event.question_id,
        "payload": orjson.Fragment(event.payload),
    }


def _swapped(batches: list[Batch], random: Random) -> list[Batch]:
    """Let some batches change places with their neighbour; the times at which a POST is made stay."""
    order = list(batches)
    index = 0
    while index < len(order) - 1:
        if random.random() < SWAPPED:
            order[index], order[index + 1] = order[index + 1], order[index]
            index += 1
        index += 1
    return [replace(batch, due=place.due) for batch, place in zip(order, batches, strict=True)]
