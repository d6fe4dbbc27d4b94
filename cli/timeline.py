"""A session's events in order, with its gaps and dead letters between them. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.multirange import Multirange

from cli.letters import Row, event_in

EVENT, GAP, DEAD_LETTER = "event", "gap", "dead letter"
LAST = 2**31  # after every number


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an event, the numbers that are missing from `seq` to `last_seq`, or a dead letter."""

    kind: str
    seq: int | None
    last_seq: int | None = None
    event_type: str | None = None
    event_ts: datetime | None = None
    client_ts: datetime | None = None
    question_id: str | None = None
    dead_letter: int | None = None
    reason: str | None = None
    outcome: str | None = None


def gaps(missing: Multirange[int]) -> list[tuple[int, int]]:
    """Return the first and the last number of every gap."""
    return [(each.lower, each.upper - 1) for each in missing if each.lower is not None and each.upper is not None]


def timeline(events: Sequence[Row], missing: Iterable[tuple[int, int]], letters: Sequence[Row]) -> list[Entry]:
    """Return everything by number; what has no number comes last, by the server's time."""
    entries = [*_events(events), *(Entry(GAP, first, last) for first, last in missing), *map(_dead_letter, letters)]
    return sorted(entries, key=_place)


def _place(entry: Entry) -> tuple[Any, ...]:
    when = entry.event_ts.timestamp() if entry.event_ts else 0.0
    return (LAST if entry.seq is None else entry.seq, entry.kind == DEAD_LETTER, when)


def _events(events: Sequence[Row]) -> Iterator[Entry]:
    for row in events:
        yield Entry(EVENT, row["seq"], None, row["event_type"], row["event_ts"], row["client_ts"], row["question_id"])


def _dead_letter(row: Row) -> Entry:
    event = event_in(row["value"]) or {}
    return Entry(
        DEAD_LETTER,
        event.get("seq"),
        event_type=event.get("event_type"),
        event_ts=event.get("event_ts") or row["first_seen_at"],
        client_ts=event.get("client_ts"),
        question_id=event.get("question_id"),
        dead_letter=row["id"],
        reason=row["reason"],
        outcome=row["replay_outcome"],
    )
