"""What is held about a person, as JSON that is written while it is read: one person may have a million events."""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from attemptlog.event_store.dead_letters import TableRow, event_in, readable
from attemptlog.event_store.person import Person
from attemptlog.event_store.person_words import ELSEWHERE


def as_json(person: Person) -> Iterator[bytes]:
    """Yield one JSON object, in pieces; the events are as exact as PostgreSQL has them."""
    head = {
        "user_id": str(person.user_id),
        "made_at": person.made_at,
        "made_by": person.looker.by,
        "why": person.looker.why,
        "is_suppressed": person.is_suppressed,
    }
    yield _dumped(head)[:-1]
    yield from _list("sessions", _sessions(person))
    yield from _list("dead_letters", ([_dumped(_letter(row))] for row in person.dead_letters()))
    for name, rows in (("exports", person.exports()), ("purges", person.purges()), ("replays", person.replays())):
        yield b",\n" + _dumped(name) + b":" + _dumped(rows)
    yield from _list("accesses", ([_dumped(row)] for row in person.accesses()))
    yield from _list("accesses_to_all", ([_dumped(row)] for row in person.accesses_to_all()))
    yield b',\n"elsewhere":' + _dumped(ELSEWHERE) + b"}\n"


def _sessions(person: Person) -> Iterator[Iterable[bytes]]:
    for row in person.sessions:
        yield _session(person, row)


def _session(person: Person, row: TableRow) -> Iterator[bytes]:
    yield _dumped(row)[:-1]
    yield from _list("events", ([event.encode()] for event in person.events(row["session_id"])))
    yield b"}"


def _letter(row: TableRow) -> TableRow:
    key, value = row["key"], row["value"]
    encoded = None if value is None else base64.b64encode(value).decode()
    raw = {"key": readable(key), "value": readable(value), "value_base64": encoded}
    return row | raw | {"event": event_in(value)}


def _list(name: str, items: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Yield a member of an object whose value is a list, each item in pieces."""
    yield b",\n" + _dumped(name) + b":["
    separator = b"\n"
    for item in items:
        yield separator
        yield from item
        separator = b",\n"
    yield b"]"


def _dumped(data: Any) -> bytes:
    return orjson.dumps(data)
