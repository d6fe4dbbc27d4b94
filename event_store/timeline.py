"""A session's events in the order in which they happened, with its gaps, dead letters and drops between them. Pure."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.multirange import Multirange

from attemptlog.event_store.dead_letters import TableRow, event_in

EVENT, GAP, DEAD_LETTER, DROP = "event", "gap", "dead letter", "drop"
PAGE, SERVICE = "page", "service"

Place = tuple[int, bool, int, bool]  # before or at the event of that index, by number, the gap before the dead letter


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an event, the numbers missing from `seq` to `last_seq`, a dead letter, or `count` drops of a stream.

    An event happened `at`, or up to `late_by_ms` milliseconds before; None where nobody can say how much. Its
    payload, and which run of its page's clock it is of, are there only where they were read.
    """

    kind: str
    seq: int | None
    last_seq: int | None = None
    at: datetime | None = None
    late_by_ms: float | None = None
    origin: str | None = None
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
    payload: TableRow | None = None
    run: int | None = None


def gaps(missing: Multirange[int]) -> list[tuple[int, int]]:
    """Return the first and the last number of every gap."""
    return [(each.lower, each.upper - 1) for each in missing if each.lower is not None and each.upper is not None]


def timeline(events: Sequence[TableRow], streams: Sequence[TableRow], letters: Sequence[TableRow]) -> list[Entry]:
    """Return everything on one line; `events` are in the order in which they happened.

    A gap and a numbered dead letter stand before the next number of their stream, what a page says it dropped after
    its last one, and a dead letter of a stream that has no event there by the time at which it came.
    """
    places = _Places(events)
    others = [*map(_dead_letter, letters), *_told(streams)]
    placed = [((index, True, 0, False), _event(row)) for index, row in enumerate(events)]
    placed += [(places.of(entry), entry) for entry in others]
    return [entry for _, entry in sorted(placed, key=lambda each: each[0])]


class _Places:
    """Where in a line of events something else belongs."""

    def __init__(self, events: Sequence[TableRow]) -> None:
        self._times = [row["at"] for row in events]
        self._streams: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
        for index, row in enumerate(events):
            if row["seq"] is not None:
                self._streams[row["stream_id"]].append((row["seq"], index))

    def of(self, entry: Entry) -> Place:
        return self._index(entry), False, entry.seq or 0, entry.kind == DEAD_LETTER

    def _index(self, entry: Entry) -> int:
        stream = self._streams.get(entry.stream_id, [])
        if entry.kind == DROP and stream:
            return max(index for _, index in stream) + 1
        if entry.seq is not None:
            following = [index for seq, index in stream if seq > entry.seq]
            if following:
                return min(following)
        return bisect(self._times, entry.event_ts) if entry.event_ts else len(self._times)


def _told(streams: Iterable[TableRow]) -> Iterator[Entry]:
    for row in streams:
        for first, last in gaps(row["missing_seq"]):
            yield Entry(GAP, first, last, stream_id=row["stream_id"], origin=PAGE)
        for reason, count in (row["dropped"] or {}).items():
            yield Entry(DROP, None, stream_id=row["stream_id"], origin=PAGE, reason=reason, count=count)


def _event(row: TableRow) -> Entry:
    late_by: timedelta | None = row["late_by"]
    return Entry(
        EVENT,
        row["seq"],
        at=row["at"],
        late_by_ms=None if late_by is None else round(late_by.total_seconds() * 1000, 3),
        origin=row["origin"],
        event_type=row["event_type"],
        event_ts=row["event_ts"],
        client_ts=row["client_ts"],
        question_id=row["question_id"],
        stream_id=row["stream_id"],
        sent_at=row["sent_at"],
        payload=row.get("payload_json"),
        run=row.get("run"),
    )


def _dead_letter(row: TableRow) -> Entry:
    event = event_in(row["value"]) or {}
    is_of_page = any(event.get(name) is not None for name in ("seq", "client_ts", "stream_id"))
    return Entry(
        DEAD_LETTER,
        event.get("seq"),
        origin=PAGE if is_of_page else SERVICE,
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
