from datetime import UTC, datetime
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from attemptlog.cli.sessions import ranges_text
from attemptlog.event_store.timeline import DEAD_LETTER, DROP, EVENT, GAP, gaps, timeline
from attemptlog.schemas import encode
from tests.support.consumer import envelope
from tests.support.http import Exam

ONE_DEVICE, OTHER_DEVICE = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01", "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e02"


def event(seq: int | None, minute: int = 0, stream: str | None = None, began: int | None = None) -> dict[str, Any]:
    """Return a row of SELECT_EVENTS whose stream began at that minute, or with it."""
    at = datetime(2026, 3, 2, 9, minute, tzinfo=UTC)
    row = {"seq": seq, "event_type": "QUESTION_VIEWED", "event_ts": at, "client_ts": None, "question_id": None}
    return row | {"stream_id": stream, "sent_at": None, "stream_began": at.replace(minute=began or minute)}


def stream(*missing: tuple[int, int], stream_id: str | None = None, **dropped: int) -> dict[str, Any]:
    gaps = Multirange([Range(first, last + 1) for first, last in missing])
    return {"stream_id": stream_id, "missing_seq": gaps, "dropped": dropped or None}


def letter(number: int, seq: int | None, stream_id: str | None = None) -> dict[str, Any]:
    came = datetime(2026, 3, 2, 10, tzinfo=UTC)
    row = {"id": number, "reason": "seq_conflict", "replay_outcome": None, "first_seen_at": came}
    return row | {"value": encode(envelope(Exam(), seq, stream_id=stream_id))}


def test_events_gaps_and_dead_letters_are_in_the_order_of_their_numbers() -> None:
    entries = timeline([event(1, 30), event(2, 10), event(5)], [stream((3, 4))], [letter(7, 2)])
    assert [(entry.kind, entry.seq) for entry in entries] == [
        (EVENT, 1),
        (EVENT, 2),
        (DEAD_LETTER, 2),
        (GAP, 3),
        (EVENT, 5),
    ]
    assert entries[2].dead_letter == 7
    assert entries[3].last_seq == 4


def test_streams_follow_each_other_by_the_servers_time_and_each_has_its_gaps_letters_and_drops() -> None:
    entries = timeline(
        [
            event(1, 20, OTHER_DEVICE),
            event(3, 30, OTHER_DEVICE, began=20),
            event(1, 40, ONE_DEVICE),
            event(1, 50),
            event(None, 10),
        ],
        [stream((2, 2), stream_id=OTHER_DEVICE, invalid=4), stream(stream_id=ONE_DEVICE), stream()],
        [letter(7, 1, ONE_DEVICE)],
    )
    assert [(entry.stream_id, entry.kind, entry.seq) for entry in entries] == [
        (OTHER_DEVICE, EVENT, 1),
        (OTHER_DEVICE, GAP, 2),
        (OTHER_DEVICE, EVENT, 3),
        (OTHER_DEVICE, DROP, None),
        (ONE_DEVICE, EVENT, 1),
        (ONE_DEVICE, DEAD_LETTER, 1),
        (None, EVENT, 1),
        (None, EVENT, None),
    ]
    assert (entries[3].reason, entries[3].count) == ("invalid", 4)


def test_a_stream_of_which_nothing_is_stored_has_its_dead_letters_together() -> None:
    entries = timeline([event(1, 59)], [stream()], [letter(7, 2, ONE_DEVICE), letter(8, 1, ONE_DEVICE)])
    assert [(entry.stream_id, entry.seq) for entry in entries if entry.stream_id] == [(ONE_DEVICE, 1), (ONE_DEVICE, 2)]


def test_what_has_no_number_comes_last_by_the_servers_time() -> None:
    entries = timeline([event(None, 20), event(None, 10), event(1, 30)], [], [])
    assert [entry.event_ts.minute for entry in entries if entry.event_ts] == [30, 10, 20]


def test_a_dead_letter_that_holds_no_event_is_shown_by_the_time_it_came() -> None:
    [entry] = timeline([], [], [letter(7, 1) | {"value": b"broken"}])
    assert (entry.seq, entry.event_ts) == (None, datetime(2026, 3, 2, 10, tzinfo=UTC))


def test_gaps_name_their_first_and_their_last_number() -> None:
    found = gaps(Multirange([Range(1, 2), Range(3, 6)]))
    assert found == [(1, 1), (3, 5)]
    assert ranges_text(found) == "1, 3-5"
    assert ranges_text([(n, n) for n in range(9)]) == "0, 1, 2, 3, 4, 5, …"
