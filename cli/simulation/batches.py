"""Batches as a browser's client sends them, and what goes wrong with some on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

import orjson

from cli.simulation.sitting import EXAM_STARTS_AT, Event, Sitting, elapsed_ms
from schemas import MAX_EVENTS_PER_BATCH

FLUSH_AFTER_MS = 5_000  # a browser's client holds an event no longer than this
SWAPPED = 0.1  # share of a session's batches that change places with the next one


@dataclass(slots=True, frozen=True)
class Batch:
    """The body of one POST; `due` is the time since the session's start at which a browser would send it."""

    session_id: str
    user_id: str
    seqs: list[int]
    body: bytes
    due: timedelta


@dataclass(slots=True, frozen=True)
class Mishaps:
    """What happens to batches: the share of POSTs made twice, and whether some overtake others."""

    duplicates: float = 0.0
    is_out_of_order: bool = False
    seed: str = ""


def batches_of(sitting: Sitting, mishaps: Mishaps, *, is_paced: bool) -> Iterator[Batch]:
    """Yield the POSTs of a sitting: by time and count when it is paced, as full as allowed when it is not."""
    random = Random(f"{mishaps.seed}:{sitting.session_id}")  # noqa: S311
    cut = _cut(sitting.events, FLUSH_AFTER_MS if is_paced else None)
    batches = [_batch(sitting, events, due_ms) for events, due_ms in cut]
    if mishaps.is_out_of_order:
        batches = _swapped(batches, random)
    for batch in batches:
        yield batch
        if random.random() < mishaps.duplicates:
            yield batch


def _cut(events: list[Event], flush_after_ms: int | None) -> Iterator[tuple[list[Event], int]]:
    """Yield the events of each batch with the milliseconds after which it is full, or was held long enough."""
    batch: list[Event] = []
    opened_ms = last_ms = 0
    for event, at_ms in zip(events, elapsed_ms(events), strict=True):
        if batch and flush_after_ms is not None and at_ms - opened_ms >= flush_after_ms:
            yield batch, opened_ms + flush_after_ms
            batch = []
        if not batch:
            opened_ms = at_ms
        batch.append(event)
        last_ms = at_ms
        if len(batch) == MAX_EVENTS_PER_BATCH:
            yield batch, at_ms
            batch = []
    if batch:
        yield batch, last_ms


def _batch(sitting: Sitting, events: list[Event], due_ms: int) -> Batch:
    request = {"source": sitting.source, "events": [_event_in(sitting.session_id, event) for event in events]}
    return Batch(
        session_id=sitting.session_id,
        user_id=sitting.user_id,
        seqs=[event.seq for event in events],
        body=orjson.dumps(request),
        due=timedelta(milliseconds=due_ms),
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
