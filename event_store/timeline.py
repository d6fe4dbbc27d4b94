"""A session's events in order, with its gaps, dead letters and drops between them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.multirange import Multirange

from attemptlog.event_store.dead_letters import TableRow, event_in

EVENT, GAP, DEAD_LETTER, DROP = "event", "gap", "dead letter", "drop"
LAST = 2**31  # after every number
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an event, the numbers missing from `seq` to `last_seq`, a dead letter, or `count` drops of a stream."""

    kind: str
    seq: int | None
    last_seq: int | None = None
    event_type: str | None = None
    event_ts: datetime | None = None
    client_ts: datetime | None = None
    question_id: str | None = None
    stream_id: str | None = None
    sent_at: datetime | None = None
    dead_letter: int | None = None
    reason: str | None = None
    outcome: str | None = None
    count: int | None = None


def gaps(missing: Multirange[int]) -> list[tuple[int, int]]:
    """Return the first and the last number of every gap."""
    return [(each.lower, each.upper - 1) for each in missing if each.lower is not None and each.upper is not None]


def timeline(events: Sequence[TableRow], streams: Sequence[TableRow], letters: Sequence[TableRow]) -> list[Entry]:
    """Return everything: streams by the server's time of their first numbered event, and each of them by number.

    What a page says it dropped comes after the numbers of its stream; what has no number comes last, by the server's
    time.
    """
    entries = [*map(_event, events), *map(_dead_letter, letters), *_told(streams)]
    began = _beginnings(events, entries)
    return sorted(entries, key=lambda entry: _place(entry, began))


def _beginnings(events: Sequence[TableRow], entries: Sequence[Entry]) -> dict[str | None, datetime]:
    began = {row["stream_id"]: row["stream_began"] for row in events if row["seq"] is not None}
    for entry in entries:
        if entry.event_ts is not None:  # nothing of the stream is stored, or shown
            began.setdefault(entry.stream_id, entry.event_ts)
    return began


def _place(entry: Entry, began: Mapping[str | None, datetime]) -> tuple[Any, ...]:
    if entry.seq is None and entry.kind != DROP:
        return True, entry.kind == DEAD_LETTER, entry.event_ts or NEVER
    number = LAST if entry.seq is None else entry.seq
    stream = began.get(entry.stream_id, NEVER), entry.stream_id or ""
    return False, *stream, number, entry.kind == DEAD_LETTER, entry.event_ts or NEVER


def _told(streams: Iterable[TableRow]) -> Iterator[Entry]:
    for row in streams:
        for first, last in gaps(row["missing_seq"]):
            yield Entry(GAP, first, last, stream_id=row["stream_id"])
        for reason, count in (row["dropped"] or {}).items():
            yield Entry(DROP, None, stream_id=row["stream_id"], reason=reason, count=count)


def _event(row: TableRow) -> Entry:
    return Entry(
        EVENT,
        row["seq"],
        event_type=row["event_type"],
        event_ts=row["event_ts"],
        client_ts=row["client_ts"],
        question_id=row["question_id"],
        stream_id=row["stream_id"],
        sent_at=row["sent_at"],
    )


def _dead_letter(row: TableRow) -> Entry:
    event = event_in(row["value"]) or {}
    return Entry(
        DEAD_LETTER,
        event.get("seq"),
        event_type=event.get("event_type"),
        event_ts=event.get("event_ts") or row["first_seen_at"],
        client_ts=event.get("client_ts"),
        question_id=event.get("question_id"),
        stream_id=event.get("stream_id"),
        sent_at=event.get("sent_at"),
        dead_letter=row["id"],
        reason=row["reason"],
        outcome=row["replay_outcome"],
    )
