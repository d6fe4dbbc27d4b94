from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from attemptlog.cli.sessions import ranges_text
from attemptlog.event_store.timeline import DEAD_LETTER, DROP, EVENT, GAP, gaps, timeline
from attemptlog.schemas import encode
from tests.support.consumer import envelope
from tests.support.http import Exam

ONE_DEVICE, OTHER_DEVICE = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01", "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e02"


def event(seq: int | None, minute: int = 0, stream: str | None = None) -> dict[str, Any]:
    """Return a row of SELECT_EVENTS that happened at that minute."""
    at = datetime(2026, 3, 2, 9, minute, tzinfo=UTC)
    row = {"seq": seq, "event_type": "QUESTION_VIEWED", "event_ts": at, "client_ts": None, "question_id": None}
    origin = "service" if seq is None else "page"
    return row | {"stream_id": stream, "sent_at": None, "at": at, "late_by": timedelta(seconds=0.25), "origin": origin}


def stream(*missing: tuple[int, int], stream_id: str | None = None, **dropped: int) -> dict[str, Any]:
    gaps = Multirange([Range(first, last + 1) for first, last in missing])
    return {"stream_id": stream_id, "missing_seq": gaps, "dropped": dropped or None}


def letter(number: int, seq: int | None, stream_id: str | None = None, came: int = 0) -> dict[str, Any]:
    at = datetime(2026, 3, 2, 9, came, tzinfo=UTC)
    row = {"id": number, "reason": "seq_conflict", "replay_outcome": None, "first_seen_at": at}
    return row | {"value": encode(envelope(Exam(), seq, stream_id=stream_id, event_ts=at))}


def test_gaps_and_dead_letters_stand_before_the_next_number_of_their_stream() -> None:
    entries = timeline([event(1, 10), event(2, 20), event(None, 25), event(5, 30)], [stream((3, 4))], [letter(7, 2)])
    assert [(entry.kind, entry.seq) for entry in entries] == [
        (EVENT, 1),
        (EVENT, 2),
        (EVENT, None),
        (DEAD_LETTER, 2),
        (GAP, 3),
        (EVENT, 5),
    ]
    assert entries[3].dead_letter == 7
    assert entries[4].last_seq == 4
    assert [entry.origin for entry in entries] == ["page", "page", "service", "page", "page", "page"]
    assert entries[0].late_by_ms == 250


def test_streams_are_on_one_line_and_each_has_its_gaps_letters_and_drops() -> None:
    entries = timeline(
        [
            event(1, 20, OTHER_DEVICE),
            event(1, 25, ONE_DEVICE),
            event(3, 30, OTHER_DEVICE),
            event(2, 40, ONE_DEVICE),
        ],
        [stream((2, 2), stream_id=OTHER_DEVICE, invalid=4), stream(stream_id=ONE_DEVICE)],
        [letter(7, 1, ONE_DEVICE)],
    )
    assert [(entry.stream_id, entry.kind, entry.seq) for entry in entries] == [
        (OTHER_DEVICE, EVENT, 1),
        (ONE_DEVICE, EVENT, 1),
        (OTHER_DEVICE, GAP, 2),
        (OTHER_DEVICE, EVENT, 3),
        (OTHER_DEVICE, DROP, None),
        (ONE_DEVICE, DEAD_LETTER, 1),
        (ONE_DEVICE, EVENT, 2),
    ]
    assert (entries[4].reason, entries[4].count) == ("invalid", 4)


def test_a_dead_letter_stands_at_the_time_it_came_where_nothing_of_its_stream_follows() -> None:
    entries = timeline([event(1, 10), event(None, 50)], [stream()], [letter(7, 2, came=20), letter(8, None, came=55)])
    assert [(entry.kind, entry.dead_letter) for entry in entries] == [
        (EVENT, None),
        (DEAD_LETTER, 7),
        (EVENT, None),
        (DEAD_LETTER, 8),
    ]


def test_a_gap_whose_end_is_not_shown_comes_last() -> None:
    entries = timeline([event(1, 10), event(1, 20, ONE_DEVICE)], [stream((2, 5))], [])
    assert [entry.kind for entry in entries] == [EVENT, EVENT, GAP]


def test_a_dead_letter_that_holds_no_event_is_shown_by_the_time_it_came() -> None:
    [entry] = timeline([], [], [letter(7, 1) | {"value": b"broken"}])
    assert (entry.seq, entry.event_ts) == (None, datetime(2026, 3, 2, 9, tzinfo=UTC))


def test_gaps_name_their_first_and_their_last_number() -> None:
    found = gaps(Multirange([Range(1, 2), Range(3, 6)]))
    assert found == [(1, 1), (3, 5)]
    assert ranges_text(found) == "1, 3-5"
    assert ranges_text([(n, n) for n in range(9)]) == "0, 1, 2, 3, 4, 5, …"
