from datetime import UTC, datetime
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from cli.sessions import ranges_text
from cli.timeline import DEAD_LETTER, EVENT, GAP, gaps, timeline
from schemas import encode
from tests.support.consumer import envelope
from tests.support.http import Exam


def event(seq: int | None, minute: int = 0) -> dict[str, Any]:
    at = datetime(2026, 3, 2, 9, minute, tzinfo=UTC)
    return {"seq": seq, "event_type": "QUESTION_VIEWED", "event_ts": at, "client_ts": None, "question_id": None}


def letter(number: int, seq: int | None) -> dict[str, Any]:
    came = datetime(2026, 3, 2, 10, tzinfo=UTC)
    row = {"id": number, "reason": "seq_conflict", "replay_outcome": None, "first_seen_at": came}
    return row | {"value": encode(envelope(Exam(), seq))}


def test_events_gaps_and_dead_letters_are_in_the_order_of_their_numbers() -> None:
    entries = timeline([event(1, 30), event(2, 10), event(5)], [(3, 4)], [letter(7, 2)])
    assert [(entry.kind, entry.seq) for entry in entries] == [
        (EVENT, 1),
        (EVENT, 2),
        (DEAD_LETTER, 2),
        (GAP, 3),
        (EVENT, 5),
    ]
    assert entries[2].dead_letter == 7
    assert entries[3].last_seq == 4


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
