"""What is stored of simulated sittings, whose true times are known."""

from itertools import groupby
from typing import Any, LiteralString
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

from attemptlog.simulation.enrolment import enrol
from attemptlog.simulation.sitting import Event, Roster, Sitting
from tests.support.indicators import ANSWERS, ENDS, happened_ms
from tests.support.page_clock import Clock, Network, Page, moment

COPY: LiteralString = """
    COPY attempt_events (
        id, event_version, event_type, event_ts, client_ts, sent_at, seq, stream_id, session_id, user_id, question_id,
        payload_json
    ) FROM STDIN
"""


def rows_of(sitting: Sitting, *, with_service: bool = False) -> list[tuple[Any, ...]]:
    """Return what is stored of a sitting; `with_service`, answers and the end are told by the platform's service."""
    rows: list[tuple[Any, ...]] = []
    both = zip(sitting.events, happened_ms(sitting), strict=True)
    for stream, of_stream in groupby(both, key=lambda each: each[0].stream_id):
        page: list[tuple[Event, int]] = []
        for event, at in of_stream:
            if with_service and event.event_type in ANSWERS | ENDS:
                rows.append(_row(sitting, event, (moment(at / 1000), None, None, None, None)))
            else:
                page.append((event, at))
        load = Page(Clock(600), Network((0.05,)), UUID(stream) if stream else None)
        stored = load.store([at / 1000 for _, at in page]) if page else ()
        for (event, _), it in zip(page, stored, strict=True):
            rows.append(_row(sitting, event, (it.event_ts, it.client_ts, it.sent_at, it.seq, it.stream_id)))
    return rows


def _row(sitting: Sitting, event: Event, times: tuple[Any, ...]) -> tuple[Any, ...]:
    named = (sitting.session_id, sitting.user_id, event.question_id)
    return event.event_type, *times, *named, Jsonb(orjson.loads(event.payload))


async def seat(url: str, roster: Roster) -> None:
    """Enter the candidates, their exam and its key."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await enrol(connection, roster)
